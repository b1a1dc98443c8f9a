package emulator

import (
	"testing"
	"time"
)

func TestParseLatency_BetweenPercentiles_IsInterpolated(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]map[float64]time.Duration{
		"0s":                         {0: 0, 0.5: 0, 1: 0},
		"20ms":                       {0: 20 * time.Millisecond, 1: 20 * time.Millisecond},
		"p0=10ms,p100=30ms":          {0: 10 * time.Millisecond, 0.5: 20 * time.Millisecond, 1: 30 * time.Millisecond},
		"p50=20ms,p99=800ms,p100=2s": {0: 20 * time.Millisecond, 0.5: 20 * time.Millisecond, 0.99: 800 * time.Millisecond, 1: 2 * time.Second},
		"p90=0s, p99.9=1s":           {0.9: 0, 0.999: time.Second, 1: time.Second},
	} {
		l, err := ParseLatency(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		for share, d := range want {
			if got := l.at(share).Round(time.Microsecond); got != d {
				t.Errorf("%s: %v of all delays are up to %v, want %v", text, share, got, d)
			}
		}
		again, err := ParseLatency(l.String())
		if err != nil || again.String() != l.String() {
			t.Errorf("%s: written as %s, which is read as %s (%v)", text, l, again, err)
		}
	}
}

func TestParseLatency_Malformed_NamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                  `"" is no duration, such as 20ms or 1.5s`,
		"20":                `"20" is no duration, such as 20ms or 1.5s`,
		"-1s":               `"-1s" is not between 0s and 1h`,
		"2h":                `"2h" is not between 0s and 1h`,
		"p50=":              `"" is no duration, such as 20ms or 1.5s`,
		"50=1s":             `"50" is no percentile: write p0 to p100`,
		"p101=1s":           `"p101" is no percentile: write p0 to p100`,
		"pNaN=1s":           `"pNaN" is no percentile: write p0 to p100`,
		"p50=1s,":           `"" is no percentile: write p0 to p100`,
		"p50=1s,p50=2s":     "percentiles must ascend, and so must their durations",
		"p50=1s,p99=999ms":  "percentiles must ascend, and so must their durations",
		"p99=1s,p50=1s":     "percentiles must ascend, and so must their durations",
		"p50=1s;p99=2s":     `"1s;p99=2s" is no duration, such as 20ms or 1.5s`,
		"p50=99999999h":     `"99999999h" is no duration, such as 20ms or 1.5s`,
		"p50=1s,p99=1s=1ms": `"1s=1ms" is no duration, such as 20ms or 1.5s`,
	} {
		if _, err := ParseLatency(text); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}
