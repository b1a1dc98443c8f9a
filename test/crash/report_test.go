package crash

import (
	"math/rand/v2"
	"slices"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/exchange"
)

// telling is one response to an item.
type telling struct {
	outcome exchange.Outcome
	created string // the id of what was created, in Done
	reason  string
	// passing means that the item is still under way and will get another response.
	passing bool
}

func tellingOfCopy(resp *integrationv1.BulkCopyTemplateResponse) telling {
	if in := resp.GetIntegration(); in != nil {
		return telling{outcome: exchange.Done, created: in.GetId()}
	}
	e := apierror.FromStatus(status.FromProto(resp.GetError()))
	if e == nil {
		return telling{outcome: exchange.Unknown, reason: "NO_VERDICT"}
	}
	return tellingOfError(e)
}

// tellingOfCreate returns what a create responded. It reports false if nothing came
// back: the error is then grpc-go's own, of a connection that is not there.
func tellingOfCreate(created string, err error) (_ telling, responded bool) {
	if err == nil {
		return telling{outcome: exchange.Done, created: created}, true
	}
	st := status.Convert(err)
	if len(st.Details()) == 0 {
		return telling{}, false
	}
	return tellingOfError(apierror.FromStatus(st)), true
}

func tellingOfError(e *apierror.Error) telling {
	t := telling{outcome: e.Outcome, reason: e.Reason, passing: e.Code == codes.DeadlineExceeded || e.Code == codes.Canceled}
	if ids := slices.Concat(e.IntegrationIDs, e.ToolIDs); e.Outcome == exchange.Done && len(ids) > 0 {
		t.created = ids[0]
	}
	return t
}

// settled reports whether another try would get the same response.
func (t telling) settled() bool {
	return t.outcome == exchange.Done || t.outcome == exchange.Unknown && !t.passing
}

// report holds the responses that a client got, in order. It may be used by many
// goroutines.
type report struct {
	mu   sync.Mutex
	told map[key][]telling
	owed map[key]bool // sent, without a response
	open map[key]bool // to be sent, for the first time or again
}

func newReport(items []item) *report {
	r := &report{told: make(map[key][]telling), owed: make(map[key]bool), open: make(map[key]bool)}
	r.reopen(items)
	return r
}

// reopen marks every item as to be sent again.
func (r *report) reopen(items []item) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, it := range items {
		r.open[it.key()] = true
	}
}

func (r *report) sent(it item) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.owed[it.key()] = true
}

func (r *report) received(of key, t telling) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.owed, of)
	r.told[of] = append(r.told[of], t)
	if t.settled() {
		delete(r.open, of)
	}
}

// rest returns the items to send: first those that were left without a
// response, whose number is owed, then all others in random order.
func (r *report) rest(items []item, order *rand.Rand) (rest []item, owed int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var other []item
	for _, it := range items {
		switch {
		case r.owed[it.key()] && r.open[it.key()]:
			rest = append(rest, it)
		case r.open[it.key()]:
			other = append(other, it)
		}
	}
	order.Shuffle(len(other), func(i, j int) { other[i], other[j] = other[j], other[i] })
	return append(rest, other...), len(rest)
}

// reasons counts the responses with an outcome by their reason.
func (r *report) reasons(o exchange.Outcome) map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := make(map[string]int)
	for _, told := range r.told {
		for _, t := range told {
			if t.outcome == o {
				n[t.reason]++
			}
		}
	}
	return n
}
