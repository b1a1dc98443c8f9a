package soak

import (
	"strings"
	"testing"
	"time"
)

func TestJudge_EachViolation_IsFound(t *testing.T) {
	ok := told{call: 0, verdict: done, id: "a", name: "call-0", limit: time.Second}
	with := func(change func(*told)) []told {
		a := ok
		change(&a)
		return []told{a}
	}
	one := map[string][]string{"call-0": {"a"}}
	two := map[string][]string{"call-0": {"a", "b"}}
	for name, c := range map[string]struct {
		ends   []told
		copies map[string][]string
		want   string
	}{
		"a copy after NOT_SENT":      {with(func(a *told) { a.verdict = notSent }), one, "told not sent and made a copy"},
		"a copy after REJECTED":      {with(func(a *told) { a.verdict = rejected }), one, "told rejected and made a copy"},
		"a copy nobody asked for":    {with(func(a *told) { a.verdict = unasked }), one, "told unasked and made a copy"},
		"two copies after done":      {[]told{ok}, two, "made 2 copies"},
		"two copies after UNKNOWN":   {with(func(a *told) { a.verdict = unknown }), two, "made 2 copies"},
		"two copies after a cancel":  {with(func(a *told) { a.verdict = cancelled }), two, "made 2 copies"},
		"done without a copy":        {[]told{ok}, nil, "did not make for it"},
		"done with another's id":     {with(func(a *told) { a.id = "b" }), one, "did not make for it"},
		"done with a cut id":         {with(func(a *told) { a.id = "" }), one, "did not make for it"},
		"done with another's name":   {with(func(a *told) { a.name = "call-7" }), one, `named "call-7"`},
		"no verdict":                 {with(func(a *told) { a.verdict = silence }), nil, "without a verdict"},
		"no response":                {nil, nil, "never ended"},
		"two responses":              {[]told{ok, ok}, one, "ended twice"},
		"too late":                   {with(func(a *told) { a.took = time.Second + grace + 1 }), one, "past its limit"},
		"an invitation when unknown": {with(func(a *told) { a.verdict, a.invited = unknown, true }), nil, "invited to try again"},
		"a copy for no call":         {[]told{ok}, map[string][]string{"call-0": {"a"}, "call-1": {"b"}}, "which no call asked for"},
	} {
		got := judge(1, c.ends, c.copies).violations
		if len(got) != 1 || !strings.Contains(got[0], c.want) {
			t.Errorf("%s: %q, want one with %q", name, got, c.want)
		}
	}
}

func TestJudge_WhatMayHappen_IsNoViolation(t *testing.T) {
	var ends []told
	for call, v := range []verdict{done, notSent, rejected, unknown, unknown, ownTimeout, cancelled, unread, ownTimeout, unasked} {
		ends = append(ends, told{call: call, verdict: v, id: "id-0", name: "call-0", limit: time.Second, invited: v == notSent || v == rejected})
	}
	copies := map[string][]string{"call-0": {"id-0"}, "call-3": {"id-3"}, "call-5": {"id-5"}, "call-6": {"id-6"}, "call-7": {"id-7"}}
	got := judge(len(ends), ends, copies)
	if len(got.violations) > 0 {
		t.Errorf("violations: %q", got.violations)
	}
	if got.copies != 5 || got.unknownMade != 1 || got.told[unknown] != 2 || got.told[ownTimeout] != 2 || got.told[done] != 1 {
		t.Errorf("counted %+v", got)
	}
}
