package ledgerservice

import (
	"context"
	"errors"
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
	id := req.GetIntegrationId() // empty where none was created
	key, r, err := s.record(ctx, req.GetRequestId())
	if err != nil {
		return nil, err
	}
	if r.State != ledger.Unknown {
		return nil, apierror.NotResolvable("the copy is " + r.State.String() + ", not in doubt")
	}
	if wait := s.cfg.OwnerGone - r.LapsedFor; id == "" && r.LapsedFor > 0 && wait > 0 {
		return nil, apierror.NotResolvable("the server of the copy is gone from the ledger and may still be creating the copy; that it created nothing can be said from " +
			time.Now().Add(wait+time.Second).UTC().Format(time.RFC3339) + " on")
	}
	if id != "" {
		// Every later call with this request id will return the integration, so an
		// id that is mistyped or another copy's must not be recorded.
		if id, err = copies.Confirm(ctx, s.cfg.Upstream, s.cfg.Ledger.Named, r, id); err != nil {
			return nil, err
		}
		if id == "" {
			return nil, apierror.NotResolvable("the integration is not one that this copy can have created; GetCopy lists them")
		}
	}
	switch err := s.cfg.Ledger.Resolve(ctx, key, r.Token, id); {
	case errors.Is(err, ledger.ErrLost):
		return nil, apierror.NotResolvable("the copy was settled meanwhile")
	case errors.Is(err, ledger.ErrNamed):
		return nil, apierror.NotResolvable("the integration is that of another copy")
	case err != nil:
		return nil, unavailable(ctx, err)
	}
	if id == "" {
		s.audit(ctx, r, "not_created")
		return &digatev1.ResolveCopyResponse{}, nil
	}
	s.audit(ctx, r, id)
	r.State, r.IntegrationID = ledger.Done, id
	return &digatev1.ResolveCopyResponse{Copy: message(req.GetRequestId(), r)}, nil
}
