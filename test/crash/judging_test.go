package crash

import (
	"strings"
	"testing"

	digatev1 "github.com/digate/digate/gen/digate/v1"
	"github.com/digate/digate/server/exchange"
)

// The judge sees what breaks the promise, and only that.
func TestJudge_EachBreachOfThePromise_IsNamed(t *testing.T) {
	it := item{method: digatev1.Method_METHOD_CREATE_TOOL, name: "a", id: "id-a"}
	done := record{state: digatev1.Copy_STATE_DONE, created: "1"}
	doubt := func(candidates map[string]string) record {
		return record{state: digatev1.Copy_STATE_UNKNOWN, candidates: candidates}
	}
	is := func(ids ...string) []string { return ids }
	toldDone := telling{outcome: exchange.Done, created: "1"}
	toldUnknown := telling{outcome: exchange.Unknown, reason: "OUTCOME_UNKNOWN"}
	for name, c := range map[string]struct {
		made    []string
		record  record
		told    []telling
		settled bool
		want    string // "" is no violation
	}{
		"done":                      {is("1"), done, []telling{{outcome: exchange.NotSent}, toldDone}, true, ""},
		"in doubt and made":         {is("1"), doubt(map[string]string{"1": "a", "9": "b"}), []telling{toldUnknown}, false, ""},
		"in doubt and not made":     {nil, doubt(map[string]string{"9": "b"}), []telling{toldUnknown}, false, ""},
		"made twice":                {is("1", "2"), done, []telling{toldDone}, false, "made 2 times"},
		"done and not made":         {nil, done, []telling{toldDone}, false, "the ledger says it became 1"},
		"done as another":           {is("2"), done, []telling{{outcome: exchange.Done, created: "2"}}, false, "the ledger says it became 1"},
		"told of another":           {is("1"), done, []telling{{outcome: exchange.Done, created: "2"}, toldDone}, false, `told that it became "2"`},
		"told nothing":              {is("1"), done, nil, false, "no response"},
		"told of no end":            {nil, doubt(nil), []telling{{outcome: exchange.NotSent, reason: "OVERLOADED"}}, false, "lost"},
		"forgotten":                 {is("1"), record{}, []telling{toldUnknown}, false, "the ledger has it in"},
		"left in sending":           {nil, record{state: digatev1.Copy_STATE_SENDING}, []telling{toldUnknown}, false, "the ledger has it in"},
		"doubt that is not told":    {is("1"), doubt(map[string]string{"1": "a"}), []telling{toldDone}, false, "the ledger has it in"},
		"doubt that is none":        {is("1"), done, []telling{toldUnknown}, false, "the ledger has it in"},
		"candidate that is missing": {is("1"), doubt(nil), []telling{toldUnknown}, false, "0 are candidates"},
		"doubt that was settled":    {nil, doubt(nil), []telling{toldUnknown}, true, "the ledger has it in"},
		"open though the ledger was away": {is("1"), done, []telling{{outcome: exchange.Unknown, reason: "LEDGER_UNAVAILABLE", passing: true}, toldDone},
			false, "though the ledger was away"},
	} {
		t.Run(name, func(t *testing.T) {
			got := outcome{
				items: []item{it}, made: map[string][]string{"a": c.made}, records: map[key]record{it.key(): c.record},
				told: []map[key][]telling{{it.key(): c.told}},
			}.judge(c.settled)
			if c.want == "" && len(got) > 0 || c.want != "" && !strings.Contains(strings.Join(got, "\n"), c.want) {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
	got := outcome{made: map[string][]string{"b": {"1"}}}.judge(false)
	if len(got) != 1 || !strings.Contains(got[0], "without a request") {
		t.Errorf("a copy without a request: %q", got)
	}
}

// With marks, only what was not made stays in doubt, and tools.
func TestJudge_Marked_MadeAndInDoubtIsAViolation(t *testing.T) {
	doubt := record{state: digatev1.Copy_STATE_UNKNOWN, candidates: map[string]string{"1": "a"}}
	for method, want := range map[digatev1.Method]int{
		digatev1.Method_METHOD_COPY_TEMPLATE: 1, digatev1.Method_METHOD_CREATE_INTEGRATION: 1, digatev1.Method_METHOD_CREATE_TOOL: 0,
	} {
		it := item{method: method, name: "a", id: "id-a"}
		o := outcome{
			items: []item{it}, made: map[string][]string{"a": {"1"}}, records: map[key]record{it.key(): doubt}, marked: true,
			told: []map[key][]telling{{it.key(): {{outcome: exchange.Unknown, reason: "OUTCOME_UNKNOWN"}}}},
		}
		if got := o.judge(false); len(got) != want {
			t.Errorf("%v: %q", method, got)
		}
		o.made, o.records[it.key()] = nil, record{state: digatev1.Copy_STATE_UNKNOWN}
		if got := o.judge(false); len(got) != 0 {
			t.Errorf("%v, not made: %q", method, got)
		}
	}
}
