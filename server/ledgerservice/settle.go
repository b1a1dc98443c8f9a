package ledgerservice

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/copies"
	"github.com/digate/digate/server/ledger"
)

// Settler settles calls in doubt, for callers and for operators. Both are refused a
// settlement that is too early or impossible. Its errors are [apierror.Error]s.
type Settler struct {
	Ledger   Ledger
	Upstream copies.Upstream
	// Marks settles doubts by proof. If nil, only people settle them.
	Marks *copies.Marks
	// OwnerGone is the same as in [Config].
	OwnerGone time.Duration
	Log       *slog.Logger
}

// Settle records that the call created the resource with the id, or nothing if the id is
// empty. This is final. Settle returns the changed record, and logs who settled the call.
func (s Settler) Settle(ctx context.Context, who string, m copies.Method, r ledger.Record, id string) (ledger.Record, error) {
	if r.State != ledger.Unknown {
		return r, apierror.NotResolvable("the call is " + r.State.String() + ", not in doubt")
	}
	if wait := s.OwnerGone - r.LapsedFor; id == "" && r.LapsedFor > 0 && wait > 0 {
		return r, apierror.NotResolvable("the server of the call is gone from the ledger and may still be sending it; that it created nothing can be said from " +
			time.Now().Add(wait+time.Second).UTC().Format(time.RFC3339) + " on")
	}
	if s.Marks != nil && m.Marked() {
		// A resource with the call's mark is known to be the call's own.
		found, marked, err := s.candidates(ctx, m, &r)
		switch {
		case err != nil:
			return r, err
		case r.State == ledger.Done && strings.EqualFold(r.CreatedID, id):
			return r, nil
		case r.State == ledger.Done:
			return r, apierror.NotResolvable("the call is done, not in doubt: it created " + r.CreatedID + ", which has its mark")
		case marked && !slices.ContainsFunc(found, func(c copies.Candidate) bool { return strings.EqualFold(c.ID, id) }):
			return r, apierror.NotResolvable("what has the mark of this call was created by it, and the call can be settled to nothing else; GetCopy lists it")
		}
	}
	if id != "" {
		// All later calls with this request id will return the resource, so the id must
		// not be misspelt or belong to another call.
		var err error
		if id, err = copies.Confirm(ctx, s.Upstream, s.Ledger.Named, m, r, id); err != nil {
			return r, err
		}
		if id == "" {
			return r, apierror.NotResolvable("the " + m.Resource().String() + " is not one that this call can have created; GetCopy lists them")
		}
	}
	switch err := s.Ledger.Resolve(ctx, r.Key, r.Token, id); {
	case errors.Is(err, ledger.ErrLost):
		return r, apierror.NotResolvable("the call was settled meanwhile")
	case errors.Is(err, ledger.ErrNamed):
		return r, apierror.NotResolvable("the " + m.Resource().String() + " is that of another call")
	case err != nil:
		return r, unavailable(ctx, err)
	}
	s.log(ctx, who, m, r, id)
	r.State, r.CreatedID = ledger.Done, id
	return r, nil
}

// log logs who settled which doubt. The names of the caller and of the record reveal
// nothing. The request id is never logged.
func (s Settler) log(ctx context.Context, who string, m copies.Method, r ledger.Record, id string) {
	s.Log.LogAttrs(ctx, slog.LevelInfo, "a call in doubt was settled",
		slog.String("caller", who), slog.String("ledger_record", r.Key.RecordName()), slog.String("method", m.LogName()),
		slog.String("parent_id", r.ParentID), slog.Time("claimed_at", r.ClaimedAt),
		slog.String("resolution", cmp.Or(id, "not_created")))
}

// candidates returns the resources that a call in doubt may have created, and reports
// whether all of them have the call's mark. If a mark settles the doubt, the record
// becomes done instead.
func (s Settler) candidates(ctx context.Context, m copies.Method, r *ledger.Record) (_ []copies.Candidate, marked bool, _ error) {
	switch {
	case r.State != ledger.Unknown:
		return nil, false, nil
	case s.Marks == nil || !m.Marked():
		found, err := copies.Candidates(ctx, s.Upstream, s.Ledger.Named, m, *r, copies.Look)
		return found, false, err
	}
	settled, err := s.Marks.Settle(ctx, m, *r)
	if errors.Is(err, ledger.ErrLost) { // it was settled meanwhile
		*r, err = get(ctx, s.Ledger, r.Key)
		return nil, false, err
	}
	if settled.CreatedID != "" {
		s.Marks.Unmark(ctx, *r, settled.CreatedID)
		r.State, r.CreatedID = ledger.Done, settled.CreatedID
	}
	return settled.Candidates, settled.Marked, err
}

// get returns the record with the key.
func get(ctx context.Context, l Ledger, key ledger.Digest) (ledger.Record, error) {
	r, found, err := l.Get(ctx, key)
	switch {
	case err != nil:
		return r, unavailable(ctx, err)
	case !found:
		return r, apierror.NoRecord()
	}
	return r, nil
}
