package loglevel

import (
	"slices"
	"strings"
	"testing"
)

// Whatever the body is, what is accepted is a level of the setting and a time in bounds.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`{"level":"DEBUG","for":"10m"}`,
		`{"level":"WARN"}`,
		`{"level":"INFO+1"}`,
		`{"level":"DEBUG","for":"-1s"}`,
		`{"level":"DEBUG","for":"25h"}`,
		`{"level":"DEBUG"} {}`,
		`{"level":1}`,
		`[]`,
		"",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		to, during, err := parse(strings.NewReader(body))
		if err != nil {
			return
		}
		if !slices.Contains(levels, to) {
			t.Errorf("the level is %v", to)
		}
		if during < 0 || during > maxFor {
			t.Errorf("the time is %v", during)
		}
	})
}
