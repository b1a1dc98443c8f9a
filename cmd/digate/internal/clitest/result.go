package clitest

import (
	"encoding/json"
	"strings"
	"testing"
)

// Result is a line of the results of bulk, as a reader of the documentation
// would declare it.
type Result struct {
	Line          int    `json:"line"`
	RequestID     string `json:"request_id"`
	Outcome       string `json:"outcome"`
	IntegrationID string `json:"integration_id"`
	Code          string `json:"code"`
	Reason        string `json:"reason"`
	Message       string `json:"message"`
}

// ResultsOf parses NDJSON results, by line of the input. It fails if a line of
// the input has two results.
func ResultsOf(t *testing.T, ndjson string) map[int]Result {
	t.Helper()
	results := make(map[int]Result)
	for line := range strings.Lines(ndjson) {
		var r Result
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		if _, twice := results[r.Line]; twice {
			t.Errorf("line %d has two results", r.Line)
		}
		results[r.Line] = r
	}
	return results
}

// Outcomes counts results by outcome.
func Outcomes(results map[int]Result) map[string]int {
	n := make(map[string]int)
	for _, r := range results {
		n[r.Outcome]++
	}
	return n
}
