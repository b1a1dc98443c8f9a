package telemetry

import (
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/digate/digate/server/exchange"
)

func TestFailures_ManyReasons_KeepsTheLatest(t *testing.T) {
	t.Parallel()
	tel := New(slog.New(slog.DiscardHandler), nil, time.Second)
	for i := range 3 * maxReasons {
		for range 2 {
			tel.failures.note(&call{reason: fmt.Sprint("REASON_", i), code: codes.Unknown, outcome: exchange.Unknown, method: "/a.B/C", requestID: strconv.Itoa(i)})
		}
	}
	got := tel.Failures()
	if len(got) != maxReasons {
		t.Fatalf("%d reasons", len(got))
	}
	if first := got[0]; first.Reason != fmt.Sprint("REASON_", 3*maxReasons-1) || first.Count != 2 || first.Method != "a.B/C" || first.Code != "UNKNOWN" || first.Outcome != "UNKNOWN" || first.XRequestID == "" {
		t.Errorf("%+v", first)
	}
}

func TestDriftSeen_OneKindTwice_IsCounted(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	tel := New(slog.New(slog.NewJSONHandler(&log, nil)), nil, time.Second)
	for range 2 {
		tel.noteDrift(t.Context(), &call{exchange: &exchange.Exchange{Drift: []exchange.Drift{{Path: []string{"a"}, Kind: "missing"}}}})
	}
	tel.noteDrift(t.Context(), &call{exchange: &exchange.Exchange{Drift: []exchange.Drift{{Path: []string{"b"}, Kind: "enum"}}}})
	got := tel.DriftSeen()
	if len(got) != 2 || got[0].What != "b: enum" || got[1].What != "a: missing" || got[1].Count != 2 {
		t.Errorf("%+v", got)
	}
	// The page and the log say in words what departed.
	if got[1].Meaning != "the field is required, and is not there" || strings.Count(log.String(), `"drift":"a: missing","meaning":"`+got[1].Meaning+`"`) != 1 {
		t.Errorf("%+v\n%s", got[1], &log)
	}
}
