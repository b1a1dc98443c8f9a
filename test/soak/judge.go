package soak

import (
	"fmt"
	"slices"
	"time"
)

// verdict is what a caller can conclude from its response.
type verdict int

const (
	// silence: no response, or one without a verdict.
	silence verdict = iota
	done
	notSent
	rejected
	unknown
	// ownTimeout and cancelled: the caller gave up before the response.
	ownTimeout
	cancelled
	// unread: the caller did not read its response.
	unread
	// unasked: the caller never finished its request, so it asked for nothing.
	unasked
	verdicts
)

var verdictNames = [verdicts]string{"silence", "done", "not sent", "rejected", "unknown", "own timeout", "cancelled", "unread", "unasked"}

func (v verdict) String() string { return verdictNames[v] }

// outcomes are digate's words for the verdicts.
var outcomes = map[string]verdict{"NOT_SENT": notSent, "REJECTED": rejected, "UNKNOWN": unknown}

// told is the end of one call as seen by its caller.
type told struct {
	call    int
	verdict verdict
	// id and name are the integration's, after done. A response that broke off after
	// its id has no name.
	id, name string
	// invited: the failure asked for another try.
	invited bool
	// doubt: an earlier call of the request id is in doubt.
	doubt bool
	// after is the id that a stream was to begin after, and items are the ids of its
	// integrations.
	after string
	items []string
	// wrong is what is wrong with the response in itself.
	wrong string
	moment
	// took is the time of the call, and limit the longest allowed.
	took, limit time.Duration
	// text goes into the report of a violation.
	text string
}

func (a told) String() string {
	return fmt.Sprintf("call %d was told %s: %s", a.call, a.verdict, a.text)
}

// grace is how far a response may exceed its limit: the callers, the upstream and
// digate share the machine.
const grace = 5 * time.Second

// tally is the result of the comparison.
type tally struct {
	calls, copies int
	told          [verdicts]int
	// unknownMade counts the unknown calls that made a copy.
	unknownMade int
	violations  []string
}

// judge compares the responses of the callers with the ids of the copies that the
// upstream made, by name. Calls are numbered from 0.
func judge(calls int, ends []told, made map[string][]string) tally {
	t := tally{calls: calls}
	violation := t.violationf
	for name, ids := range made {
		t.copies += len(ids)
		if call, ok := callNamed(name); !ok || call < 0 || call >= calls {
			violation("a copy named %q, which no call asked for", name)
		}
	}
	t.each(ends, func(a told) {
		ids := made[callName(a.call)]
		if len(ids) > 1 {
			violation("call %d made %d copies; its caller was told %s: %s", a.call, len(ids), a.verdict, a.text)
		}
		switch a.verdict {
		case done:
			if !slices.Contains(ids, a.id) {
				violation("call %d was told of integration %q, which the upstream did not make for it: %v", a.call, a.id, ids)
			} else if a.name != "" && a.name != callName(a.call) {
				violation("call %d was told of an integration named %q", a.call, a.name)
			}
		case notSent, rejected, unasked:
			if len(ids) > 0 {
				violation("call %d was told %s and made a copy: %s", a.call, a.verdict, a.text)
			}
		case unknown:
			if len(ids) > 0 {
				t.unknownMade++
			}
			if a.invited {
				violation("call %d may have made a copy and its caller is invited to try again: %s", a.call, a.text)
			}
		}
	})
	return t
}

func (t *tally) violationf(format string, args ...any) {
	t.violations = append(t.violations, fmt.Sprintf(format, args...))
}

// each judges each end, and whether every call had one, with a verdict and in time.
func (t *tally) each(ends []told, judge func(told)) {
	seen := make(map[int]bool)
	for _, a := range ends {
		if seen[a.call] {
			t.violationf("call %d ended twice", a.call)
			continue
		}
		seen[a.call] = true
		t.told[a.verdict]++
		if a.verdict == silence {
			t.violationf("call %d ended without a verdict: %s", a.call, a.text)
		}
		judge(a)
		if a.took > a.limit+grace {
			t.violationf("call %d took %v until it was told %s, which is past its limit of %v: %s", a.call, a.took, a.verdict, a.limit, a.text)
		}
	}
	for call := range t.calls {
		if !seen[call] {
			t.violationf("call %d never ended", call)
		}
	}
}
