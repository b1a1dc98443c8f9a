package copies

import (
	"context"
	"errors"
	"log/slog"
	"strings"

	digatev1 "github.com/digate/digate/gen/digate/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/ledger"
)

// Settlement is the result of the search for the mark of a call in doubt.
type Settlement struct {
	// CreatedID is the id of what the call created. It is empty if the call stays in
	// doubt.
	CreatedID string
	// Candidates are the resources that the call may have created.
	Candidates []Candidate
	// Marked means that the candidates have the mark of the call. There are several if
	// Diga created more than one resource for the call.
	Marked bool
}

// Settle looks for an integration with the mark of a call in doubt. If there is exactly
// one, Settle records it as what the call created. If there is none, the call stays in
// doubt, since Diga may not list the integration yet. Settle returns [ledger.ErrLost] if
// the call was settled meanwhile, and otherwise an [apierror.Error]. If BeforeSettle
// refuses, the call stays in doubt without an error.
func (m *Marks) Settle(ctx context.Context, method Method, r ledger.Record) (Settlement, error) {
	// Candidates that another record names are included: another replica may just have
	// settled this call.
	found, err := listed(ctx, m.Upstream, method, r, Search)
	if err != nil {
		return Settlement{}, err
	}
	suffix := m.suffix(r.Key, r.Token)
	var marked []Candidate
	for _, candidate := range found {
		// A candidate without an id is skipped, because a record with an empty id means
		// that nothing was created.
		if candidate.ID != "" && strings.HasSuffix(candidate.Name, suffix) {
			marked = append(marked, candidate)
		}
	}
	switch len(marked) {
	case 0:
		found, err = unnamed(ctx, found, m.Ledger.Named)
		return Settlement{Candidates: found}, err
	case 1:
	default:
		m.Log.LogAttrs(ctx, slog.LevelWarn, "several integrations have the mark of one call, which stays in doubt",
			slog.String("ledger_record", r.Key.RecordName()), slog.Any("integration_ids", ids(marked)))
		return Settlement{Candidates: marked, Marked: true}, nil
	}
	id := marked[0].ID
	switch err := m.record(ctx, r, id); {
	case errors.Is(err, ledger.ErrLost):
		return Settlement{}, err
	case errors.Is(err, errRefused),
		errors.Is(err, ledger.ErrNamed), errors.Is(err, ledger.ErrInvalid): // another record has the id, or the ledger cannot store it
		return Settlement{Candidates: marked, Marked: true}, nil
	case err != nil:
		return Settlement{Candidates: marked, Marked: true}, apierror.LedgerUnavailable(err)
	}
	m.Log.LogAttrs(ctx, slog.LevelInfo, "a call in doubt was settled by its mark",
		slog.String("ledger_record", r.Key.RecordName()), slog.String("method", method.LogName()), slog.String("parent_id", r.ParentID),
		slog.Time("claimed_at", r.ClaimedAt), slog.String("resolution", id))
	return Settlement{CreatedID: id}, nil
}

// errRefused means that BeforeSettle refused to settle a doubt.
var errRefused = errors.New("the doubt may not be settled")

// record records what a call in doubt created. Its error is errRefused or the ledger's.
func (m *Marks) record(ctx context.Context, r ledger.Record, id string) error {
	req := &digatev1.ResolveCopyRequest{Resolution: &digatev1.ResolveCopyRequest_IntegrationId{IntegrationId: id}}
	ctx, end := m.Observer.Start(ctx, exchange.Operation{
		Kind: exchange.Settlement, Method: digatev1.LedgerService_ResolveCopy_FullMethodName, Request: req,
	})
	ctx, ex := exchange.NewContext(ctx)
	ex.LedgerRecord, ex.CreatedID = r.Key.RecordName(), id
	if m.BeforeSettle != nil {
		if err := m.BeforeSettle(ctx, req); err != nil {
			end(ex, apierror.FromError(err).WithoutOutcome())
			return errRefused
		}
	}
	bounded, cancel := context.WithTimeout(ctx, ledgerTimeout)
	defer cancel()
	err := m.Ledger.Resolve(bounded, r.Key, r.Token, id)
	switch {
	case err == nil:
		end(ex, nil)
	case errors.Is(err, ledger.ErrLost):
		end(ex, apierror.NotResolvable("the call was settled meanwhile"))
	case errors.Is(err, ledger.ErrNamed), errors.Is(err, ledger.ErrInvalid):
		end(ex, apierror.NotResolvable("the integration cannot be recorded as that of the call"))
	default:
		end(ex, apierror.LedgerUnavailable(err).WithoutOutcome())
	}
	return err
}

// Unmark removes the mark from the name of a resource whose doubt was settled. A failure
// is only logged, because the resource exists in any case.
func (m *Marks) Unmark(ctx context.Context, r ledger.Record, createdID string) {
	if _, _, err := m.unmark(ctx, r.Key.RecordName(), createdID, m.suffix(r.Key, r.Token)); err != nil {
		m.logNotRenamed(ctx, r.Key, err)
	}
}

// inDoubt settles a call in doubt by its mark, if it has one, and sets the flight's
// results. If the doubt remains, the flight fails.
func (a *attempt) inDoubt(r ledger.Record) {
	c, f, method := a.coordinator, a.flight, a.create.method()
	if c.cfg.Marks == nil || !method.Marked() {
		f.err = apierror.InDoubt(method.Resource(), c.candidates(a.caller, method, r))
		return
	}
	ctx, cancel := context.WithTimeout(a.ledgerTime, c.cfg.Timeout)
	defer cancel()
	s, err := c.cfg.Marks.Settle(ctx, method, r)
	if s.CreatedID != "" {
		r.CreatedID = s.CreatedID
		a.replay(r)
		return
	}
	f.lost = errors.Is(err, ledger.ErrLost)
	f.err = apierror.InDoubt(method.Resource(), ids(s.Candidates))
}
