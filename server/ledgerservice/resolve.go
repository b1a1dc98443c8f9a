package ledgerservice

import (
	"context"

	digatev1 "github.com/digate/digate/gen/digate/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/copies"
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
	id, err := resolved(m, req) // empty if nothing was created
	if err != nil {
		return nil, err
	}
	r, settler, err := s.record(ctx, m, req.GetRequestId())
	if err != nil {
		return nil, err
	}
	if s.cfg.BeforeResolve != nil {
		if err := s.cfg.BeforeResolve(ctx, req); err != nil {
			return nil, err
		}
	}
	caller, _ := s.cfg.Caller(ctx)
	if r, err = settler.Settle(ctx, caller, m, r, id); err != nil {
		return nil, err
	}
	if id == "" {
		return &digatev1.ResolveCopyResponse{}, nil
	}
	return &digatev1.ResolveCopyResponse{Copy: Message(m, req.GetRequestId(), r)}, nil
}

// resolved returns the id of the resource that the call created according to its caller.
// It is empty if nothing was created.
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
