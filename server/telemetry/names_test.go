package telemetry

import (
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
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
