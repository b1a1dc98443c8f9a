package soak

import (
	"strings"
	"testing"
)

func TestShortfalls_MixThatTestsNothing_IsTold(t *testing.T) {
	m := mix{attempts: []share{{storm, 500}}, connections: []share{{resetAccept, 100}}, shows: []shown{{done, 200}, {rejected, 100}}}
	planned := [kinds]int{storm: long / 2}
	enough := func() (tally, met) {
		var seen met
		seen.first[storm], seen.all[resetAccept] = long/2*leastMet/1000, long/10*leastConnections/1000
		return tally{told: [verdicts]int{done: long / 5, rejected: long / 10}}, seen
	}
	for name, c := range map[string]struct {
		change func(*tally, *met)
		want   string // a part of the only shortfall, empty for none
	}{
		"enough of all":       {func(*tally, *met) {}, ""},
		"most never sent":     {func(t *tally, _ *met) { t.told[notSent] = long*8/10 + 1 }, "1601 of 2000 calls were not sent"},
		"few done":            {func(t *tally, _ *met) { t.told[done]-- }, "were told done, want 400"},
		"few refusals":        {func(t *tally, _ *met) { t.told[rejected]-- }, "were told rejected, want 200"},
		"few faults":          {func(_ *tally, m *met) { m.first[storm]-- }, "199 of 1000 calls met it"},
		"few bad connections": {func(_ *tally, m *met) { m.all[resetAccept]-- }, "9 connections met it"},
	} {
		told, seen := enough()
		c.change(&told, &seen)
		got := strings.Join(shortfalls(m, long, planned, told, seen), "\n")
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) || strings.Contains(got, "\n") {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	got := shortfalls(m, 200, planned, tally{told: [verdicts]int{done: 1}}, met{})
	if len(got) != 1 || !strings.Contains(got[0], "were told rejected, want 1") {
		t.Errorf("of a short run: %q", got)
	}
	// So few calls may all be held back by an open circuit, and may not meet what is rare.
	m.guarded = true
	if got := shortfalls(m, 200, planned, tally{}, met{}); len(got) != 1 || !strings.Contains(got[0], "were told done, want 1") {
		t.Errorf("of a short run with a circuit breaker: %q", got)
	}
	m = mix{shows: []shown{{unknown, 60}}}
	if got := shortfalls(m, 200, planned, tally{}, met{}); len(got) != 0 {
		t.Errorf("of a short run without what is rare: %q", got)
	}
}
