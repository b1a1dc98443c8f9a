package copies

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

// Named returns those of the ids, at most [ledger.MaxNamed], that a record names.
type Named func(ctx context.Context, integrationIDs []string) ([]string, error)

// Glance and Look are how far back Diga's list is read, in pages of a hundred
// integrations, each page a request. A glance is for an error that many callers
// may get; a look is for somebody who is about to settle a doubt.
const (
	Glance = 1
	Look   = 10
)

const (
	pageSize = 100
	// clockSkew is how far Diga's clock may be behind the ledger's. If it is further
	// behind, candidates are missed. A generous value shows some integrations that
	// are older than the copy, which a person can tell by their time.
	clockSkew = 10 * time.Minute
)

// candidates returns the ids of integrations that a copy in doubt may have
// created, as far as Diga shows them now. If Diga or the ledger cannot be asked,
// there are none: the doubt is reported all the same.
func (c *Coordinator) candidates(ctx context.Context, r ledger.Record) []string {
	found, err := Candidates(ctx, c.cfg.Upstream, c.cfg.Ledger.Named, r, Glance)
	if err != nil {
		return nil
	}
	var ids []string
	for _, in := range found {
		ids = append(ids, in.GetId())
	}
	return ids
}

// Candidates returns the integrations that a copy in doubt may have created: those
// created since the claim, from its template or without a template, that no other
// record names. It reads at most that many pages of Diga's list. An error is an
// [apierror.Error].
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

// Confirm returns the id, as Diga spells it, of the integration that a copy in
// doubt has created according to the caller. It returns an empty id if the copy cannot have
// created that integration, or if another record names it. An integration that
// Diga shows by its id need not be among the candidates, whose list may be too
// long to read.
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

// mayBeOf reports whether the copy may have created the integration. Diga may
// spell the template's id differently from the caller, and need not name it.
func mayBeOf(r ledger.Record, in *integrationv1.Integration) bool {
	source := in.GetSourceIntegrationTemplateId()
	return !before(r, in) && (source == "" || strings.EqualFold(source, r.TemplateID))
}

// before reports whether the integration was created before the copy was claimed.
func before(r ledger.Record, in *integrationv1.Integration) bool {
	made := in.GetCreatedAt()
	return made != nil && made.AsTime().Before(r.ClaimedAt.Add(-clockSkew))
}

// past reports whether everything behind a page was created before the copy was
// claimed. That is so if all of the page was, and if the page shows the newest
// first, which Diga was asked for and need not do.
func past(r ledger.Record, page []*integrationv1.Integration) bool {
	first, last := page[0].GetCreatedAt().AsTime(), page[len(page)-1].GetCreatedAt().AsTime()
	return last.Before(first) &&
		!slices.ContainsFunc(page, func(in *integrationv1.Integration) bool { return !before(r, in) })
}

// unnamed returns those of the integrations that no record names.
func unnamed(ctx context.Context, found []*integrationv1.Integration, named Named) ([]*integrationv1.Integration, error) {
	taken := make(map[string]bool)
	// Diga may put more on a page than it was asked for.
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
