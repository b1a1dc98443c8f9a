package crash

import (
	"math/rand/v2"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/exchange"
)

// telling is one response to an item.
type telling struct {
	outcome     exchange.Outcome
	integration string // in Done
	reason      string
	// passing means that the copy is still under way and will get another response.
	passing bool
}

func tellingOf(resp *integrationv1.BulkCopyTemplateResponse) telling {
	if in := resp.GetIntegration(); in != nil {
		return telling{outcome: exchange.Done, integration: in.GetId()}
	}
	e := apierror.FromStatus(status.FromProto(resp.GetError()))
	if e == nil {
		return telling{outcome: exchange.Unknown, reason: "NO_VERDICT"}
	}
	t := telling{outcome: e.Outcome, reason: e.Reason, passing: e.Code == codes.DeadlineExceeded || e.Code == codes.Canceled}
	if e.Outcome == exchange.Done && len(e.IntegrationIDs) > 0 {
		t.integration = e.IntegrationIDs[0]
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
	told map[string][]telling // by request id
	owed map[string]bool      // sent, without a response
	open map[string]bool      // to be sent, for the first time or again
}

func newReport(items []item) *report {
	r := &report{told: make(map[string][]telling), owed: make(map[string]bool), open: make(map[string]bool)}
	r.reopen(items)
	return r
}

// reopen marks every item as to be sent again.
func (r *report) reopen(items []item) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, it := range items {
		r.open[it.id] = true
	}
}

func (r *report) sent(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.owed[id] = true
}

func (r *report) received(id string, t telling) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.owed, id)
	r.told[id] = append(r.told[id], t)
	if t.settled() {
		delete(r.open, id)
	}
}

// rest returns the items to send: first those that the last stream left without a
// response, whose number is owed, then all others in random order.
func (r *report) rest(items []item, order *rand.Rand) (rest []item, owed int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var other []item
	for _, it := range items {
		switch {
		case r.owed[it.id] && r.open[it.id]:
			rest = append(rest, it)
		case r.open[it.id]:
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
