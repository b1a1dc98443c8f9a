package telemetry

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/handshake"
	"github.com/digate/digate/server/ledger"
	"github.com/digate/digate/server/ledger/watch"
	"github.com/digate/digate/server/upstream/admission"
)

// Without the zeros, the first event is no rise, and no alert on a rise sees it.
func TestMetrics_CountersWithFewLabels_AreThereBeforeTheFirstEvent(t *testing.T) {
	t.Parallel()
	tel := New(slog.New(slog.DiscardHandler), nil, time.Minute)
	tel.WatchHandshakes("grpc")
	var lines []string
	for _, operation := range watch.Operations {
		for _, cause := range ledger.Causes {
			lines = append(lines, fmt.Sprintf("digate_ledger_errors_total{cause=%q,operation=%q} 0\n", cause, operation))
		}
	}
	for _, state := range admission.CircuitStates {
		lines = append(lines, fmt.Sprintf("digate_upstream_circuit_changes_total{state=%q} 0\n", state))
	}
	for kind := exchange.BulkItem; kind.String() != "other"; kind++ {
		if kind != exchange.RESTRequest { // which is a call
			lines = append(lines, fmt.Sprintf("digate_operations_started_total{kind=%q} 0\n", kind))
		}
	}
	for _, result := range handshake.Results {
		lines = append(lines, fmt.Sprintf("digate_tls_handshakes_total{listener=\"grpc\",result=%q} 0\n", result))
	}
	wants(t, scrape(tel), lines...)
}
