package soak

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/digate/digate/test/rig"
)

// errandOf returns an errand of the kind in a script, and its calls, the earlier first.
func errandOf(t *testing.T, s *script, fits func(errand) bool) (n int, calls []int) {
	t.Helper()
	for n := range s.calls / tries {
		if fits(s.errand(n)) {
			for call := range s.calls {
				if s.key(call) == n {
					calls = append(calls, call)
				}
			}
			return n, calls
		}
	}
	t.Fatal("the script has no such errand")
	return 0, nil
}

func TestScript_CallsOfAnErrand_AreThreeOverBothProtocols(t *testing.T) {
	s := &script{mix: mix{creates: true}, seed: 1, calls: 1200}
	calls := make(map[int][]int)
	for call := range s.calls {
		calls[s.key(call)] = append(calls[s.key(call)], call)
	}
	for n, its := range calls {
		habits := make(map[habit]bool)
		for i, call := range its {
			if _, try := s.try(call); try != i {
				t.Errorf("call %d is try %d of errand %d, want %d", call, try, n, i)
			}
			habits[s.errandCaller(call).habit] = true
		}
		if len(its) != tries || !habits[overGRPC] || !habits[overREST] {
			t.Errorf("errand %d has calls %v, with habits %v", n, its, habits)
		}
	}
}

func TestJudgeErrands_EachViolation_IsFound(t *testing.T) {
	s := &script{mix: mix{creates: true}, seed: 1, calls: 1200}
	start := time.Now()
	at := func(second int) time.Time { return start.Add(time.Duration(second) * time.Second) }
	n, calls := errandOf(t, s, func(e errand) bool { return e.kind == createIntegration })
	refused, refusedCalls := errandOf(t, s, func(e errand) bool { return e.kind == copyUnresolved })
	previewed, _ := errandOf(t, s, func(e errand) bool { return e.kind == preview })
	_, up := errandOf(t, s, func(e errand) bool { return e.kind == streamIntegrations && !e.descending && e.most > 5 })
	_, down := errandOf(t, s, func(e errand) bool { return e.kind == streamIntegrations && e.descending && e.most > 5 })
	_, few := errandOf(t, s, func(e errand) bool { return e.kind == streamIntegrations && !e.descending && e.most < 4 })

	created := func(id string, n int) rig.Created {
		return rig.Created{Kind: rig.Integration, ID: id, Name: callName(n), At: at(1)}
	}
	// end is one that begins after the first second and the others.
	end := func(call, second int, v verdict, id string) told {
		return told{call: call, verdict: v, id: id, limit: time.Minute, moment: moment{at(second), at(second + 1)}}
	}
	// five are integrations that there were before, each of an errand of its own.
	var five []rig.Created
	var ids []string
	for i := 0; len(five) < 5; i++ {
		if i != n && s.errand(i).kind == createIntegration {
			five = append(five, created(fmt.Sprint("old-", len(five)), i))
			ids = append(ids, five[len(five)-1].ID)
		}
	}
	stream := func(call int, v verdict, after string, items ...string) told {
		a := end(call, 5, v, "")
		a.after, a.items = after, items
		return a
	}
	with := func(a told, change func(*told)) told {
		change(&a)
		return a
	}
	gone := append([]rig.Created(nil), five...)
	gone[2].Deleted = at(3)
	for name, c := range map[string]struct {
		all  []rig.Created
		ends []told
		want string // a part of the only violation, empty for none
	}{
		"done, and replayed":         {[]rig.Created{created("a", n)}, []told{end(calls[0], 0, done, "a"), end(calls[1], 2, done, "a")}, ""},
		"unknown, then in doubt":     {[]rig.Created{created("a", n)}, []told{end(calls[0], 0, unknown, ""), with(end(calls[1], 2, unknown, ""), func(a *told) { a.doubt = true })}, ""},
		"refused, then done":         {[]rig.Created{created("a", n)}, []told{end(calls[0], -2, rejected, ""), end(calls[1], 0, done, "a")}, ""},
		"two things":                 {[]rig.Created{created("a", n), created("b", n)}, []told{end(calls[0], 0, done, "a")}, "created 2 things"},
		"another id":                 {[]rig.Created{created("a", n)}, []told{end(calls[0], 0, done, "a"), end(calls[1], 2, done, "b")}, "did not create for it"},
		"created, and not sent":      {[]rig.Created{created("a", n)}, []told{end(calls[0], 0, notSent, ""), end(calls[1], 0, rejected, "")}, "was told that nothing was"},
		"created, done only later":   {[]rig.Created{created("a", n)}, []told{end(calls[0], 0, rejected, ""), end(calls[1], 2, done, "a")}, "was told that nothing was"},
		"rejected after done":        {[]rig.Created{created("a", n)}, []told{end(calls[0], 0, done, "a"), end(calls[1], 2, rejected, "")}, "after one with its request id was done"},
		"in doubt after done":        {[]rig.Created{created("a", n)}, []told{end(calls[0], 0, done, "a"), with(end(calls[1], 2, unknown, ""), func(a *told) { a.doubt = true })}, "after one with its request id was done"},
		"done after a doubt":         {[]rig.Created{created("a", n)}, []told{with(end(calls[0], 0, unknown, ""), func(a *told) { a.doubt = true }), end(calls[1], 2, done, "a")}, "was in doubt before"},
		"invited when unknown":       {nil, []told{with(end(calls[0], 0, unknown, ""), func(a *told) { a.invited = true })}, "invited to try again"},
		"another name":               {[]rig.Created{created("a", n)}, []told{with(end(calls[0], 0, done, "a"), func(a *told) { a.name = "x" })}, "has another name"},
		"a refused copy":             {[]rig.Created{created("a", refused)}, nil, "which no call asked for"},
		"a refused copy that is ok":  {nil, []told{end(refusedCalls[0], 0, done, "")}, "leaves a placeholder unresolved"},
		"a preview that creates":     {[]rig.Created{created("a", previewed)}, nil, "which no call asked for"},
		"a wrong response":           {nil, []told{with(end(calls[0], 0, notSent, ""), func(a *told) { a.wrong = "nonsense" })}, "got nonsense"},
		"no verdict":                 {nil, []told{end(calls[0], 0, silence, "")}, "without a verdict"},
		"all items":                  {five, []told{stream(up[0], done, "", ids...)}, ""},
		"all but the deleted":        {gone, []told{stream(up[0], done, "", ids[0], ids[1], ids[3], ids[4])}, ""},
		"all backwards":              {five, []told{stream(down[0], done, "", ids[4], ids[3], ids[2], ids[1], ids[0])}, ""},
		"the rest":                   {five, []told{stream(up[0], done, ids[2], ids[3:]...), stream(down[0], done, ids[1], ids[0])}, ""},
		"a broken stream":            {five, []told{stream(up[0], unknown, "", ids[0], ids[1])}, ""},
		"an item left out":           {five, []told{stream(up[0], unknown, "", ids[0], ids[2])}, "did not get item 1"},
		"an item twice":              {five, []told{stream(up[0], unknown, "", ids[0], ids[1], ids[1])}, "got item 1"},
		"a start too late":           {five, []told{stream(up[0], unknown, "", ids[1])}, "did not get item 0"},
		"a start too early":          {five, []told{stream(up[0], unknown, ids[1], ids[1])}, "got item 1"},
		"backwards from the middle":  {five, []told{stream(down[0], unknown, "", ids[3])}, "did not get item 4"},
		"an end too early":           {five, []told{stream(up[0], done, "", ids[:3]...)}, "did not get item 3"},
		"backwards, end too early":   {five, []told{stream(down[0], done, "", ids[4], ids[3])}, "did not get item 2"},
		"nothing of a list":          {five, []told{stream(down[0], done, "")}, "did not get item 4"},
		"an item of nowhere":         {five, []told{stream(up[0], unknown, "", "x")}, "did not create"},
		"more than were asked for":   {five, []told{stream(few[0], unknown, "", ids...)}, "and asked for"},
		"as many as were asked for":  {five, []told{stream(few[0], done, "", ids[:s.errand(s.key(few[0])).most]...)}, ""},
		"a tool that no stream gets": {append([]rig.Created{{Kind: rig.Tool, ID: "t", Name: callName(n), At: at(1)}}, five...), []told{end(calls[0], 0, done, "t"), stream(up[0], done, "", ids...)}, ""},
	} {
		for call := range s.calls { // the others
			if !contains(c.ends, call) {
				c.ends = append(c.ends, told{call: call, verdict: ownTimeout, limit: time.Minute, moment: moment{start.Add(-time.Hour), at(60)}})
			}
		}
		if c.want == "was told that nothing was" { // by none of the others either
			for i := range c.ends {
				if s.key(c.ends[i].call) == n && c.ends[i].verdict == ownTimeout {
					c.ends[i].verdict = notSent
				}
			}
		}
		got := judgeErrands(s, c.ends, c.all).violations
		if c.want == "" && len(got) > 0 || c.want != "" && (len(got) != 1 || !strings.Contains(got[0], c.want)) {
			t.Errorf("%s: %.300q, want one with %q", name, got, c.want)
		}
	}
}

func contains(ends []told, call int) bool {
	for _, a := range ends {
		if a.call == call {
			return true
		}
	}
	return false
}
