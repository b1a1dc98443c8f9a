package ledgerservice

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	digatev1 "github.com/digate/digate/gen/digate/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/copies"
	"github.com/digate/digate/server/ledger"
)

// ResolveCopy implements [digatev1.LedgerServiceServer].
func (s *Service) ResolveCopy(ctx context.Context, req *digatev1.ResolveCopyRequest) (*digatev1.ResolveCopyResponse, error) {
	resp, err := s.resolveCopy(ctx, req)
	return resp, concludeNothing(err)
}

func (s *Service) resolveCopy(ctx context.Context, req *digatev1.ResolveCopyRequest) (*digatev1.ResolveCopyResponse, error) {
	if err := s.rules.Validate(req); err != nil {
		return nil, err
	}
	m := methodOf(req.GetMethod())
	id, err := resolved(m, req) // empty where nothing was created
	if err != nil {
		return nil, err
	}
	key, r, err := s.record(ctx, m, req.GetRequestId())
	if err != nil {
		return nil, err
	}
	if r.State != ledger.Unknown {
		return nil, apierror.NotResolvable("the call is " + r.State.String() + ", not in doubt")
	}
	if wait := s.cfg.OwnerGone - r.LapsedFor; id == "" && r.LapsedFor > 0 && wait > 0 {
		return nil, apierror.NotResolvable("the server of the call is gone from the ledger and may still be sending it; that it created nothing can be said from " +
			time.Now().Add(wait+time.Second).UTC().Format(time.RFC3339) + " on")
	}
	if s.cfg.Marks != nil && m.Marked() {
		// What has the mark of the call is known to be its own.
		found, marked, err := s.candidates(ctx, m, &r)
		switch {
		case err != nil:
			return nil, err
		case r.State == ledger.Done && strings.EqualFold(r.CreatedID, id):
			return &digatev1.ResolveCopyResponse{Copy: message(m, req.GetRequestId(), r)}, nil
		case r.State == ledger.Done:
			return nil, apierror.NotResolvable("the call is done, not in doubt: it created " + r.CreatedID + ", which has its mark")
		case marked && !slices.ContainsFunc(found, func(c copies.Candidate) bool { return strings.EqualFold(c.ID, id) }):
			return nil, apierror.NotResolvable("what has the mark of this call was created by it, and the call can be settled to nothing else; GetCopy lists it")
		}
	}
	if id != "" {
		// Every later call with this request id will return the resource, so an id that
		// is mistyped or another call's must not be recorded.
		if id, err = copies.Confirm(ctx, s.cfg.Upstream, s.cfg.Ledger.Named, m, r, id); err != nil {
			return nil, err
		}
		if id == "" {
			return nil, apierror.NotResolvable("the " + noun(m) + " is not one that this call can have created; GetCopy lists them")
		}
	}
	switch err := s.cfg.Ledger.Resolve(ctx, key, r.Token, id); {
	case errors.Is(err, ledger.ErrLost):
		return nil, apierror.NotResolvable("the call was settled meanwhile")
	case errors.Is(err, ledger.ErrNamed):
		return nil, apierror.NotResolvable("the " + noun(m) + " is that of another call")
	case err != nil:
		return nil, unavailable(ctx, err)
	}
	if id == "" {
		s.audit(ctx, m, r, "not_created")
		return &digatev1.ResolveCopyResponse{}, nil
	}
	s.audit(ctx, m, r, id)
	r.State, r.CreatedID = ledger.Done, id
	return &digatev1.ResolveCopyResponse{Copy: message(m, req.GetRequestId(), r)}, nil
}

// resolved returns the id of what the call created according to the caller, which
// is empty if nothing was.
func resolved(m copies.Method, req *digatev1.ResolveCopyRequest) (string, error) {
	field, id, other := "integration_id", req.GetIntegrationId(), req.GetToolId()
	if m == copies.CreateTool {
		field, id, other = "tool_id", other, id
	}
	if other != "" {
		return "", apierror.InvalidRequest(apierror.Violation{
			Field: field, Description: "is what the method creates", Reason: "VALUE_ERROR",
		})
	}
	return id, nil
}

// noun returns what the method creates, for people.
func noun(m copies.Method) string {
	if m == copies.CreateTool {
		return "tool"
	}
	return "integration"
}
