package copies

import (
	"context"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/ledger"
	"github.com/digate/digate/server/upstream"
)

// resourceType reads the resources of one type from Diga, of which a call in doubt may have
// created one.
type resourceType interface {
	// list returns a page of the resources, newest first, and reports whether there are
	// more.
	list(ctx context.Context, up Upstream, r ledger.Record, after *string) (page []Candidate, more bool, _ error)
	// show returns one of the resources.
	show(ctx context.Context, up Upstream, r ledger.Record, id string) (Candidate, error)
}

// integrations are the integrations of the caller's account.
type integrations struct{}

func (integrations) list(ctx context.Context, up Upstream, _ ledger.Record, after *string) (page []Candidate, more bool, _ error) {
	var resp integrationv1.ListIntegrationsResponse
	err := up.Call(ctx, upstream.Call{
		Method:   integrationv1.IntegrationService_ListIntegrations_FullMethodName,
		Request:  &integrationv1.ListIntegrationsRequest{Limit: new(int32(pageSize)), Order: integrationv1.Order_ORDER_DESC, After: after},
		Response: &resp,
	})
	for _, in := range resp.GetData() {
		page = append(page, integrationCandidate(in))
	}
	return page, resp.GetHasMore(), err
}

func (integrations) show(ctx context.Context, up Upstream, _ ledger.Record, id string) (Candidate, error) {
	in, err := getIntegration(ctx, up, id)
	return integrationCandidate(in), err
}

func integrationCandidate(in *integrationv1.Integration) Candidate {
	return Candidate{ID: in.GetId(), Name: in.GetName(), Created: in.GetCreatedAt(), template: in.GetSourceIntegrationTemplateId()}
}

// tools are the tools of the record's integration.
type tools struct{}

func (tools) list(ctx context.Context, up Upstream, r ledger.Record, after *string) (page []Candidate, more bool, _ error) {
	var resp integrationv1.ListToolsResponse
	err := up.Call(ctx, upstream.Call{
		Method: integrationv1.IntegrationService_ListTools_FullMethodName,
		Request: &integrationv1.ListToolsRequest{
			IntegrationId: r.ParentID, Limit: new(int32(pageSize)), Order: integrationv1.Order_ORDER_DESC, After: after,
		},
		Response: &resp,
	})
	for _, t := range resp.GetData() {
		page = append(page, toolCandidate(t))
	}
	return page, resp.GetHasMore(), err
}

func (tools) show(ctx context.Context, up Upstream, r ledger.Record, id string) (Candidate, error) {
	t, err := getTool(ctx, up, r.ParentID, id)
	return toolCandidate(t), err
}

func toolCandidate(t *integrationv1.Tool) Candidate {
	id, name := idAndName(t)
	return Candidate{ID: id, Name: name}
}
