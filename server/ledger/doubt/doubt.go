// Package doubt looks for what a copy may have made whose outcome is not known.
package doubt

import (
	"context"
	"slices"
	"strings"
	"time"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/ledger"
	"github.com/digate/digate/server/upstream"
)

// Upstream sends a call to the vendor and fills in its response.
type Upstream interface {
	Call(ctx context.Context, call upstream.Call) error
}

// Named returns those of the ids, at most [ledger.MaxNamed], that a record names.
type Named func(ctx context.Context, integrationIDs []string) ([]string, error)

// How far back the vendor's list is read, in pages of a hundred, each a request:
// as far as one page says, for an answer that many may ask for, or as far as it
// goes for whoever is about to settle a doubt.
const (
	Glance = 1
	Look   = 10
)

const (
	pageSize = 100
	// clockSkew is by how much the vendor's clock may be behind the ledger's. One
	// that is wrong by more hides what was made; a generous one shows a little more
	// that was made before, which whoever settles the doubt can tell by its time.
	clockSkew = 10 * time.Minute
)

// Candidates returns the integrations that a copy in doubt may have made, as far
// as that many pages of the vendor's list show them: those made since it was
// claimed, from its template or from none that the vendor names, which no other
// record names. An error is an [apierror.Error].
func Candidates(ctx context.Context, up Upstream, named Named, r ledger.Record, pages int) ([]*integrationv1.Integration, error) {
	var found []*integrationv1.Integration
	var after *string
	for range pages {
		inner, _ := exchange.NewContext(ctx)
		var page integrationv1.ListIntegrationsResponse
		limit := int32(pageSize)
		err := up.Call(inner, upstream.Call{
			Method:   integrationv1.IntegrationService_ListIntegrations_FullMethodName,
			Request:  &integrationv1.ListIntegrationsRequest{Limit: &limit, Order: integrationv1.Order_ORDER_DESC, After: after},
			Response: &page,
		})
		if err != nil {
			return nil, err
		}
		for _, in := range page.GetData() {
			if mayBeOf(r, in) {
				found = append(found, in)
			}
		}
		if !page.GetHasMore() || len(page.GetData()) == 0 || past(r, page.GetData()) {
			break
		}
		last := page.GetData()[len(page.GetData())-1].GetId()
		after = &last
	}
	return unnamed(ctx, found, named)
}

// Confirm returns the id, as the vendor spells it, of the integration that a copy
// in doubt is said to have made; it is empty where the copy cannot have made it or
// another record names it. One that the vendor shows by its id need not be among
// the candidates, whose list may be too long to read.
func Confirm(ctx context.Context, up Upstream, named Named, r ledger.Record, integrationID string) (string, error) {
	inner, _ := exchange.NewContext(ctx)
	var got integrationv1.GetIntegrationResponse
	err := up.Call(inner, upstream.Call{
		Method:   integrationv1.IntegrationService_GetIntegration_FullMethodName,
		Request:  &integrationv1.GetIntegrationRequest{IntegrationId: integrationID},
		Response: &got,
	})
	found := []*integrationv1.Integration{got.GetIntegration()}
	if err == nil && strings.EqualFold(got.GetIntegration().GetId(), integrationID) {
		if !mayBeOf(r, found[0]) {
			return "", nil
		}
		found, err = unnamed(ctx, found, named)
	} else {
		found, err = Candidates(ctx, up, named, r, Look)
	}
	for _, in := range found {
		if strings.EqualFold(in.GetId(), integrationID) {
			return in.GetId(), err
		}
	}
	return "", err
}

// mayBeOf says whether the copy may have made the integration. The vendor may
// spell the template's id otherwise than whoever asked for the copy, and need not
// name it.
func mayBeOf(r ledger.Record, in *integrationv1.Integration) bool {
	source := in.GetSourceIntegrationTemplateId()
	return !before(r, in) && (source == "" || strings.EqualFold(source, r.TemplateID))
}

// before says whether the integration was made before the copy was claimed.
func before(r ledger.Record, in *integrationv1.Integration) bool {
	made := in.GetCreatedAt()
	return made != nil && made.AsTime().Before(r.ClaimedAt.Add(-clockSkew))
}

// past says whether what stands behind a page was all made before the copy was
// claimed: where all of the page was, and shows that the newest come first, which
// the vendor was asked for and need not do.
func past(r ledger.Record, page []*integrationv1.Integration) bool {
	first, last := page[0].GetCreatedAt().AsTime(), page[len(page)-1].GetCreatedAt().AsTime()
	return last.Before(first) &&
		!slices.ContainsFunc(page, func(in *integrationv1.Integration) bool { return !before(r, in) })
}

// unnamed leaves out what records name.
func unnamed(ctx context.Context, found []*integrationv1.Integration, named Named) ([]*integrationv1.Integration, error) {
	taken := make(map[string]bool)
	// A vendor may put more on its pages than it was asked for.
	for some := range slices.Chunk(found, ledger.MaxNamed) {
		ids := make([]string, len(some))
		for i, in := range some {
			ids[i] = in.GetId()
		}
		of, err := named(ctx, ids)
		switch {
		case err != nil && ctx.Err() != nil:
			return nil, apierror.NotBegun(ctx.Err())
		case err != nil:
			return nil, apierror.LedgerUnavailable(err)
		}
		for _, id := range of {
			taken[id] = true
		}
	}
	return slices.DeleteFunc(found, func(in *integrationv1.Integration) bool { return taken[in.GetId()] }), nil
}
