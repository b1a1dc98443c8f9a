package telemetry

import (
	"log/slog"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/digate/digate/server/ledger/watch"
	"github.com/digate/digate/server/upstream"
)

type idle struct{}

func (idle) Load() upstream.Load { return upstream.Load{} }

type unasked struct{}

func (unasked) Health() watch.Health { return watch.Health{} }

// The metrics of what has not happened yet are in no scrape, but they are described.
func TestMetrics_AllThatAreDescribed_AreThoseOfTheDocs(t *testing.T) {
	tel := New(slog.New(slog.DiscardHandler), nil, time.Minute)
	tel.Watch(idle{})
	tel.WatchLog(nil)
	tel.WatchLedger(unasked{})
	descs := make(chan *prometheus.Desc)
	go func() {
		defer close(descs)
		tel.registry.Describe(descs)
	}()
	described := make(map[string]string) // name: labels
	for d := range descs {
		m := regexp.MustCompile(`fqName: "([^"]*)".*variableLabels: \{([^}]*)\}`).FindStringSubmatch(d.String())
		if m == nil {
			t.Fatalf("%s", d)
		}
		if !strings.HasPrefix(m[1], "go_") && !strings.HasPrefix(m[1], "process_") {
			described[m[1]] = sorted(m[2])
		}
	}
	text, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := make(map[string]string)
	for _, row := range regexp.MustCompile("(?m)^\\| `(digate_[a-z_]+)` \\| [a-z]+ \\| ([^|]*)\\|").FindAllStringSubmatch(string(text), -1) {
		documented[row[1]] = sorted(row[2])
	}
	if !maps.Equal(described, documented) {
		t.Errorf("described %v\ndocumented %v", described, documented)
	}
}

// sorted returns the labels of a list, in their order.
func sorted(list string) string {
	labels := regexp.MustCompile("[a-z]+").FindAllString(list, -1)
	slices.Sort(labels)
	return strings.Join(labels, ",")
}
