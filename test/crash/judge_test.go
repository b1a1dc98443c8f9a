package crash

import (
	"fmt"
	"maps"
	"slices"

	digatev1 "github.com/digate/digate/gen/digate/v1"
	"github.com/digate/digate/server/exchange"
)

// record is the ledger's record of an item. The zero value means no record.
type record struct {
	state      digatev1.Copy_State
	created    string            // the id of what was created
	candidates map[string]string // names by id
}

// outcome is the end of a scene as the upstream, the ledger and the clients saw it.
type outcome struct {
	items   []item
	made    map[string][]string // the upstream's ids, by name
	records map[key]record
	told    []map[key][]telling // each client's responses
	// marked means that integrations were sent with marks, and that every item was asked
	// for once more since.
	marked bool
}

// judge returns the violations of the promise. With settled, every doubt is a
// violation.
func (o outcome) judge(settled bool) (violations []string) {
	wrong := func(it item, format string, args ...any) {
		violations = append(violations, it.name+": "+fmt.Sprintf(format, args...))
	}
	names := make(map[string]bool)
	for _, it := range o.items {
		names[it.name] = true
		made, r := o.made[it.name], o.records[it.key()]
		if len(made) > 1 {
			wrong(it, "made %d times: %v", len(made), made)
		}
		switch {
		case r.state == digatev1.Copy_STATE_DONE:
			if !slices.Equal(made, []string{r.created}) {
				wrong(it, "the ledger says it became %s, the upstream made %v", r.created, made)
			}
		case r.state == digatev1.Copy_STATE_UNKNOWN && o.marked && it.isMarked() && len(made) > 0:
			wrong(it, "in doubt though %v was made with its mark", made)
		case r.state == digatev1.Copy_STATE_UNKNOWN && !settled:
			candidates := 0
			for id, name := range r.candidates {
				if name == it.name {
					candidates++
					if !slices.Contains(made, id) {
						wrong(it, "%s is named as a candidate, the upstream made %v", id, made)
					}
				}
			}
			if candidates != len(made) {
				wrong(it, "in doubt, and of %v made %d are candidates", made, candidates)
			}
		default:
			wrong(it, "the ledger has it in %v", r.state)
		}
		for _, told := range o.told {
			o.judgeReport(it, r, told[it.key()], wrong)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(o.made)) {
		if !names[name] {
			violations = append(violations, name+": made without a request")
		}
	}
	return violations
}

// judgeReport compares the responses of one client for an item.
func (o outcome) judgeReport(it item, r record, told []telling, wrong func(item, string, ...any)) {
	if len(told) == 0 {
		wrong(it, "a client got no response")
		return
	}
	made := o.made[it.name]
	for _, t := range told {
		switch {
		case t.outcome == exchange.Done && !slices.Contains(made, t.created):
			wrong(it, "a client was told that it became %q, the upstream made %v", t.created, made)
		case t.reason == "LEDGER_UNAVAILABLE" && t.outcome != exchange.NotSent:
			wrong(it, "a client was told %s though the ledger was away", t.outcome)
		}
	}
	last := told[len(told)-1]
	switch {
	case last.outcome == exchange.Done && r.state != digatev1.Copy_STATE_DONE,
		last.outcome == exchange.Unknown && (last.passing || r.state != digatev1.Copy_STATE_UNKNOWN):
		wrong(it, "the last that a client was told is %s %s, the ledger has it in %v", last.outcome, last.reason, r.state)
	case last.outcome != exchange.Done && last.outcome != exchange.Unknown:
		wrong(it, "lost: the last that a client was told is %s %s", last.outcome, last.reason)
	}
}
