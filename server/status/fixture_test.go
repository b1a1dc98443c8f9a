package status_test

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/digate/digate/server/setting"
	"github.com/digate/digate/server/status"
)

// hostile is what Diga may call a field or an error.
const hostile = `<script>alert(1)</script><img src=x onerror=alert(2)>"'&`

// full returns a status in which everything is there, with long and hostile names.
func full(context.Context) status.Status {
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	long := "3c90c3cc-0d44-4b50-8888-8dd25736052a"
	s := status.Status{
		Version: "1.2.3", Now: now, Started: now.Add(-49 * time.Hour), UptimeSeconds: (49 * time.Hour).Seconds(), NotReady: "draining",
		Listeners: []status.Listener{{Name: "gRPC", Address: "[::]:9090"}, {Name: "REST", Address: "[::]:8080"}, {Name: "admin", Address: "127.0.0.1:9091"}},
		Upstream: status.Upstream{
			URL: "https://api.diga.io", Circuit: "open", InFlight: 3, InFlightLimit: 128, Queued: 7, QueuedBytes: 4711,
			Overload: map[string]uint64{"rate_limited": 5}, Refused: map[string]uint64{"circuit_open": 6},
		},
		Ledger: status.Ledger{
			Store: "postgres", Durable: true, Lost: "read_only", LostSince: &now, CountedTo: 100_000, ConnectionsInUse: 2, ConnectionsLimit: 16,
			Records: map[string]int{"claimed": 1, "sending": 2, "done": 100_000, "unknown": 30},
		},
		Audit: &status.Audit{To: "/var/log/audit.log", Required: true, Failing: "no space left on device", FailingSince: &now, Lost: 4, Refused: 8},
		Accounts: &status.Accounts{
			File: "/etc/digate/accounts.yaml", Hash: strings.Repeat("ab", 32), Loaded: now.Add(-3 * time.Hour), AgeSeconds: (3 * time.Hour).Seconds(), RefusedSince: &now,
			Accounts: status.NewNames([]string{"acme", hostile}, []string{"acme"}), Callers: status.NewNames(make([]string, 300), nil), Issuers: status.NewNames([]string{"corp"}, []string{"corp"}),
		},
		LogLevel: &status.LogLevel{Level: "DEBUG", Setting: "INFO", Until: &now},
		Drift:    []status.Drift{{What: "auth_type: " + hostile, Meaning: "the value is none of those that the contract lists", Count: 3, Last: now}},
		Errors:   []status.Error{{Reason: hostile, Count: 9, Last: now, Method: "diga.integration.v1.IntegrationService/CopyTemplate", Code: "UNKNOWN", Outcome: "UNKNOWN", XRequestID: "AAAAAAAAAAAAAAAAAAAAAAAAAA"}},
		Settings: []setting.Effective{{Name: "ledger", Value: "postgres://redacted@db.internal/" + hostile, From: "DIGATE_LEDGER"}, {Name: "max-streams", Value: 1000, From: "default"}},
		Links:    []string{"/status.json", "/metrics", "/healthz", "/readyz", "/ledger/records", "/debug/pprof/"},
	}
	var doubts []status.Doubt
	for i := range 30 {
		doubts = append(doubts, status.Doubt{
			Record: fmt.Sprintf("bbbbbbbbbb%02x%052x", i, 0), Method: "CopyTemplate", ParentID: long, AgeSeconds: float64(i*i) * 100,
		})
	}
	s.Ledger.SetDoubts(doubts)
	return s
}
