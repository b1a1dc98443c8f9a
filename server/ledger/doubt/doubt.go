// Package doubt looks for what a copy may have made whose outcome is not known.
package doubt

import (
	"context"
	"time"

	"google.golang.org/protobuf/proto"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/ledger"
)

// Upstream sends a call to the vendor and fills in its response.
type Upstream interface {
	Call(ctx context.Context, method string, req, resp proto.Message, sending func() (context.Context, error)) error
}

// Named returns those of the ids that a record names.
type Named func(ctx context.Context, integrationIDs []string) ([]string, error)

const (
	// candidatePages bounds how far back the vendor's list is read.
	candidatePages = 10
	pageSize       = 100
	// clockSkew is by how much the vendor's clock may be behind the ledger's.
	clockSkew = 2 * time.Minute
)

// Candidates returns the integrations that a copy in doubt may have made: those
// made from its template since it was claimed, which no other record names. A
// list that is too long to read to the claim's time is read as far as a thousand
// integrations back.
func Candidates(ctx context.Context, up Upstream, named Named, r ledger.Record) ([]*integrationv1.Integration, error) {
	since := r.ClaimedAt.Add(-clockSkew)
	var found []*integrationv1.Integration
	var after *string
	for range candidatePages {
		inner, _ := exchange.NewContext(ctx)
		var page integrationv1.ListIntegrationsResponse
		limit := int32(pageSize)
		err := up.Call(inner, integrationv1.IntegrationService_ListIntegrations_FullMethodName,
			&integrationv1.ListIntegrationsRequest{Limit: &limit, Order: integrationv1.Order_ORDER_DESC, After: after}, &page, nil)
		if err != nil {
			return nil, err
		}
		older := false
		for _, in := range page.GetData() {
			made := in.GetCreatedAt()
			if made != nil && made.AsTime().Before(since) {
				older = true
				continue
			}
			if in.GetSourceIntegrationTemplateId() == r.TemplateID {
				found = append(found, in)
			}
		}
		if older || !page.GetHasMore() || len(page.GetData()) == 0 {
			break
		}
		last := page.GetData()[len(page.GetData())-1].GetId()
		after = &last
	}
	return unnamed(ctx, found, named)
}

// unnamed leaves out what records name.
func unnamed(ctx context.Context, found []*integrationv1.Integration, named Named) ([]*integrationv1.Integration, error) {
	if len(found) == 0 {
		return nil, nil
	}
	ids := make([]string, len(found))
	for i, in := range found {
		ids[i] = in.GetId()
	}
	taken, err := named(ctx, ids)
	if err != nil {
		return nil, err
	}
	of := make(map[string]bool, len(taken))
	for _, id := range taken {
		of[id] = true
	}
	var free []*integrationv1.Integration
	for _, in := range found {
		if !of[in.GetId()] {
			free = append(free, in)
		}
	}
	return free, nil
}
