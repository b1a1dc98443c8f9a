package soak

import (
	"slices"

	"github.com/digate/digate/test/rig"
)

// judgeErrands compares what the callers of errands were told with what the upstream
// created, the oldest first.
func judgeErrands(s *script, ends []told, all []rig.Created) tally {
	j := &errandJudge{tally: tally{calls: s.calls}, made: make(map[int][]rig.Created), place: make(map[string]int)}
	for _, created := range all {
		if created.Name != older {
			n, ok := callNamed(created.Name)
			if !ok || !s.errand(n).kind.creates() {
				j.violationf("%q was created, which no call asked for", created.Name)
			}
			j.made[n] = append(j.made[n], created)
			j.copies++
		}
		if created.Kind != rig.Tool {
			j.place[created.ID] = len(j.list)
			j.list = append(j.list, created)
		}
	}
	calls := make(map[int][]told)
	j.each(ends, func(a told) {
		n := s.key(a.call)
		calls[n] = append(calls[n], a)
		if a.wrong != "" {
			j.violationf("call %d got %s: %s", a.call, a.wrong, a.text)
		}
		switch e := s.errand(n); {
		case e.kind.creates():
			j.create(a, n)
		case e.kind == copyUnresolved && (a.verdict == done || a.doubt):
			j.violationf("call %d leaves a placeholder unresolved, and was told %s: %s", a.call, a.verdict, a.text)
		case e.kind == streamIntegrations:
			j.stream(a, e)
		}
	})
	for n, ends := range calls {
		if s.errand(n).kind.creates() {
			j.together(n, ends)
		}
	}
	return j.tally
}

type errandJudge struct {
	tally
	// made is what was created for each errand.
	made map[int][]rig.Created
	// list are the integrations, and place has the place of each in it.
	list  []rig.Created
	place map[string]int
}

// create judges one call of an errand that creates something.
func (j *errandJudge) create(a told, n int) {
	made := j.made[n]
	switch a.verdict {
	case done:
		if !slices.ContainsFunc(made, func(c rig.Created) bool { return c.ID == a.id }) {
			j.violationf("call %d was told of %q, which the upstream did not create for it: %v", a.call, a.id, made)
		} else if a.name != "" && a.name != callName(n) {
			j.violationf("call %d was told of %q, which has another name", a.call, a.name)
		}
	case unknown:
		if len(made) > 0 {
			j.unknownMade++
		}
		if a.invited {
			j.violationf("call %d may have created something and its caller is invited to try again: %s", a.call, a.text)
		}
	}
}

// together judges all calls of an errand that creates something. That all who were
// told of something were told of the same follows from the judgement of each.
func (j *errandJudge) together(n int, ends []told) {
	made := j.made[n]
	if len(made) > 1 {
		j.violationf("errand %d created %d things: %q", n, len(made), ends)
	}
	for _, created := range made {
		if !slices.ContainsFunc(ends, func(a told) bool {
			return a.began.Before(created.At) && a.verdict != notSent && a.verdict != rejected
		}) {
			j.violationf("errand %d created something, and each caller before was told that nothing was: %q", n, ends)
		}
	}
	for _, before := range ends {
		for _, a := range ends {
			switch after := before.ended.Before(a.began); {
			case after && before.verdict == done && (a.verdict == rejected || a.doubt):
				j.violationf("call %d was told %s after one with its request id was done: %s", a.call, a.verdict, a.text)
			case after && before.doubt && a.verdict == done:
				j.violationf("call %d was told of %q, though its request id was in doubt before: %s", a.call, a.id, a.text)
			}
		}
	}
}

// stream judges a stream: its items are a part of the list without a gap, from where
// it was to begin, and all of it if it ended by itself with room for more. What was
// deleted before its end may be missing.
func (j *errandJudge) stream(a told, e errand) {
	there := 0 // how many integrations there were when it began, at least
	for there < len(j.list) && j.list[there].At.Before(a.began) {
		there++
	}
	if len(a.items) > e.most {
		j.violationf("call %d got %d items, and asked for %d: %s", a.call, len(a.items), e.most, a.text)
	}
	step, next, end := 1, 0, there
	if e.descending {
		step, next, end = -1, there-1, -1
	}
	if a.after != "" {
		next = j.place[a.after] + step
	}
	for i, id := range a.items {
		at, ok := j.place[id]
		if !ok {
			j.violationf("call %d got item %q, which the upstream did not create: %s", a.call, id, a.text)
			return
		}
		if i == 0 && e.descending && a.after == "" {
			next = max(next, at) // it may have been created since
		}
		if (at-next)*step < 0 {
			j.violationf("call %d got item %d as its number %d, after %d came: %s", a.call, at, i, next-step, a.text)
			return
		}
		j.gap(a, next, at, step)
		next = at + step
	}
	if a.verdict == done && len(a.items) < e.most && (end-next)*step > 0 {
		j.gap(a, next, end, step)
	}
}

// gap is a violation if an item from first up to last, without that, was not deleted
// before the end of the call.
func (j *errandJudge) gap(a told, first, last, step int) {
	for at := first; at != last; at += step {
		if deleted := j.list[at].Deleted; deleted.IsZero() || a.ended.Before(deleted) {
			j.violationf("call %d did not get item %d, from %d to %d: %s", a.call, at, first, last, a.text)
			return
		}
	}
}
