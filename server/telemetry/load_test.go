package telemetry

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/digate/digate/server/upstream"
	"github.com/digate/digate/server/upstream/admission"
	"github.com/digate/digate/server/upstream/wire"
)

// counted is an upstream that returns each of its loads once.
type counted struct {
	loads []upstream.Load
	asked int
}

func (c *counted) Load() upstream.Load {
	c.asked++
	return c.loads[c.asked-1]
}

func TestWatch_EachScrape_ReadsTheLoadOnce(t *testing.T) {
	tel, _ := observed()
	u := &counted{loads: []upstream.Load{
		{
			Load: admission.Load{
				InFlight: 1, Limit: 2, Queued: 3, QueuedBytes: 7, MaxQueued: 13, MaxQueuedBytes: 14, Limited: 8, Paused: 9, Slots: 22, Circuit: "open",
				Evidence: map[string]uint64{"transport": 10}, Refused: map[string]uint64{"queue_full": 11},
			},
			Retries: upstream.RetryLoad{Saved: 1.5, Limit: 15, Refused: 16},
			Connections: wire.Load{
				InUse: 17, Idle: 18, Awaited: 19, Dials: map[string]uint64{"failed": 20}, Closed: map[string]uint64{"idle": 21},
			},
		},
		{Load: admission.Load{InFlight: 4, Limit: 5, Queued: 6, Circuit: "half-open", Evidence: map[string]uint64{"transport": 12}}},
	}}
	tel.Watch(u)
	if u.asked != 0 {
		t.Fatalf("asked %d times before a scrape", u.asked)
	}
	for i, want := range [][]string{
		{"in_flight 1", "in_flight_limit 2", "queued 3", "queued_bytes 7", "queued_limit 13", "queued_limit_bytes 14", "retries_saved 1.5", "retries_saved_limit 15", "retries_refused_total 16", "accounts_limited 8", "accounts_paused 9", "circuit_open 1",
			"recording 22", `connections{state="in_use"} 17`, `connections{state="idle"} 18`, "connections_awaited 19", `dials_total{result="failed"} 20`, `connections_closed_total{reason="idle"} 21`,
			`overload_total{evidence="transport"} 10`, `refused_total{reason="queue_full"} 11`},
		{"in_flight 4", "in_flight_limit 5", "queued 6", "circuit_open 0", `overload_total{evidence="transport"} 12`},
	} {
		w := httptest.NewRecorder()
		tel.MetricsHandler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
		for _, line := range want {
			if !strings.Contains(w.Body.String(), "\ndigate_upstream_"+line+"\n") {
				t.Errorf("scrape %d: no %s", i, line)
			}
		}
		if u.asked != i+1 {
			t.Errorf("asked %d times in %d scrapes", u.asked, i+1)
		}
	}
}

func TestCircuitChanged_IsCountedAndLoggedByItsState(t *testing.T) {
	tel, log := observed()
	for _, state := range []string{"open", "half-open", "closed", "open"} {
		tel.CircuitChanged(state)
	}
	levels := ""
	for line := range strings.Lines(log.String()) {
		level, _, _ := strings.Cut(line[strings.Index(line, `"level":"`)+len(`"level":"`):], `"`)
		levels += level + " "
	}
	if levels != "WARN WARN INFO WARN " {
		t.Errorf("levels %s", levels)
	}
	w := httptest.NewRecorder()
	tel.MetricsHandler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	for _, line := range []string{`{state="open"} 2`, `{state="half-open"} 1`, `{state="closed"} 1`} {
		if !strings.Contains(w.Body.String(), "digate_upstream_circuit_changes_total"+line) {
			t.Errorf("no %s", line)
		}
	}
}
