package telemetry

import (
	"log/slog"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/digate/digate/server/exchange"
)

func TestCodeName_IsThatOfTheDocs(t *testing.T) {
	t.Parallel()
	for code, want := range map[codes.Code]string{
		codes.OK: "OK", codes.Canceled: "CANCELLED", codes.NotFound: "NOT_FOUND", codes.Unauthenticated: "UNAUTHENTICATED", 17: "17",
	} {
		if got := codeName(code); got != want {
			t.Errorf("%d: got %s, want %s", code, got, want)
		}
	}
}

// No quantile of a histogram is beyond its last bound, whatever hangs: not the ledger
// either, which a call waits for as long as it may take.
func TestHistograms_All_EndWithTheLongestCall(t *testing.T) {
	t.Parallel()
	tel := New(slog.New(slog.DiscardHandler), nil, 45*time.Second)
	_ = unary(t.Context(), tel, func(ex *exchange.Exchange) { ex.Attempts = []exchange.Attempt{{Status: 200}} }, nil)
	families, err := tel.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	histograms := 0
	for _, f := range families {
		for _, m := range f.GetMetric() {
			bounds := m.GetHistogram().GetBucket()
			if len(bounds) == 0 {
				continue
			}
			histograms++
			if last := bounds[len(bounds)-1].GetUpperBound(); last != 45 {
				t.Errorf("%s ends with %g s", f.GetName(), last)
			}
		}
	}
	if histograms < 3 {
		t.Errorf("only %d histograms", histograms)
	}
}

func TestBuckets_EndWithTheLongestCall(t *testing.T) {
	t.Parallel()
	for longest, want := range map[time.Duration][]float64{
		20 * time.Millisecond: {.001, .0025, .005, .01, .02},
		30 * time.Second:      append(slices.Clone(steps[:13]), 30),
		90 * time.Second:      append(slices.Clone(steps[:15]), 90),
		2 * time.Minute:       append(slices.Clone(steps[:15]), 120),
		2 * time.Hour:         append(slices.Clone(steps), 7200),
	} {
		if got := buckets(longest); !slices.Equal(got, want) {
			t.Errorf("%v: got %v, want %v", longest, got, want)
		}
	}
}
