package copies

import (
	"context"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/ledger"
)

// FilterNamed returns those of the ids that a record names. It is called with at most
// [ledger.MaxNamed] ids.
type FilterNamed func(ctx context.Context, createdIDs []string) ([]string, error)

// Glance, Look and Search are how many pages of Diga's list are read, each with a hundred
// resources and one request. Glance is for an error message that many callers may get,
// Look is for a person who is about to settle a doubt, and Search is for finding the mark
// that settles one.
const (
	Glance = 1
	Look   = 10
	Search = 100
)

const (
	pageSize = 100
	// clockSkew is how far Diga's clock may be behind the ledger's. If it is further
	// behind, candidates are missed. With this generous value, some candidates are older
	// than the call, which a person can see from their times.
	clockSkew = 10 * time.Minute
)

// Candidate is an integration or a tool that a call in doubt may have created.
type Candidate struct {
	ID, Name string
	// Created is nil if Diga does not return the time, as for tools.
	Created *timestamppb.Timestamp
	// template is the id of the template that Diga names as the integration's source.
	template string
}

// candidates returns the ids of the resources that a call in doubt may have created, as
// far as Diga's list shows them. It returns none if Diga or the ledger is unavailable,
// because the doubt must be reported in any case.
func (c *Coordinator) candidates(ctx context.Context, m Method, r ledger.Record) []string {
	found, err := Candidates(ctx, c.cfg.Upstream, c.cfg.Ledger.Named, m, r, Glance)
	if err != nil {
		return nil
	}
	return ids(found)
}

func ids(of []Candidate) []string {
	var ids []string
	for _, candidate := range of {
		ids = append(ids, candidate.ID)
	}
	return ids
}

// Candidates returns the resources that a call in doubt may have created and that no
// other record names. For a copy, these are the integrations created since the claim from
// the same template or without a known template; for a tool, the tools of the
// integration. Candidates reads at most the given number of pages of Diga's list. Its
// error is an [apierror.Error].
func Candidates(ctx context.Context, up Upstream, named FilterNamed, m Method, r ledger.Record, pages int) ([]Candidate, error) {
	found, err := listed(ctx, up, m, r, pages)
	if err != nil {
		return nil, err
	}
	return unnamed(ctx, found, named)
}

// listed returns the resources that a call in doubt may have created, including those
// that other records name. Each resource is returned once even if Diga lists it twice,
// and reading stops if the list starts again from the beginning.
func listed(ctx context.Context, up Upstream, m Method, r ledger.Record, pages int) ([]Candidate, error) {
	var found []Candidate
	var after *string
	seen := make(map[string]bool)
	for range pages {
		inner, _ := exchange.NewContext(ctx)
		page, more, err := m.creates().list(inner, up, r, after)
		if err != nil {
			return nil, err
		}
		before := len(seen)
		for _, candidate := range page {
			if candidate.ID != "" && seen[candidate.ID] {
				continue
			}
			seen[candidate.ID] = true
			if mayHaveCreated(m, r, candidate) {
				found = append(found, candidate)
			}
		}
		if !more || len(seen) == before || allCreatedBefore(r, page) {
			break
		}
		after = &page[len(page)-1].ID
	}
	return found, nil
}

// Confirm checks a caller's statement that a call in doubt created the resource with an
// id. It returns the id as Diga spells it, or an empty string if the call cannot have
// created the resource or another record names it. The resource may be missing from the
// candidates if Diga's list is long.
func Confirm(ctx context.Context, up Upstream, named FilterNamed, m Method, r ledger.Record, createdID string) (string, error) {
	inner, _ := exchange.NewContext(ctx)
	shown, err := m.creates().show(inner, up, r, createdID)
	found := []Candidate{shown}
	if err == nil && strings.EqualFold(shown.ID, createdID) {
		if !mayHaveCreated(m, r, shown) {
			return "", nil
		}
		found, err = unnamed(ctx, found, named)
	} else {
		found, err = Candidates(ctx, up, named, m, r, Look)
	}
	for _, candidate := range found {
		if strings.EqualFold(candidate.ID, createdID) {
			return candidate.ID, err
		}
	}
	return "", err
}

// mayHaveCreated reports whether the call may have created the candidate. Diga may spell the
// template's id differently from the caller, or not return it.
func mayHaveCreated(m Method, r ledger.Record, c Candidate) bool {
	return !createdBefore(r, c) && (c.template == "" || m == CopyTemplate && strings.EqualFold(c.template, r.ParentID))
}

// createdBefore reports whether the candidate was created before the call's claim.
func createdBefore(r ledger.Record, c Candidate) bool {
	return c.Created != nil && c.Created.AsTime().Before(r.ClaimedAt.Add(-clockSkew))
}

// allCreatedBefore reports whether the rest of the list was created before the call's claim. That is
// so if the whole page was and it is sorted from new to old, as digate asks of Diga.
func allCreatedBefore(r ledger.Record, page []Candidate) bool {
	first, last := page[0].Created.AsTime(), page[len(page)-1].Created.AsTime()
	return last.Before(first) && !slices.ContainsFunc(page, func(c Candidate) bool { return !createdBefore(r, c) })
}

// unnamed returns the candidates that no record names.
func unnamed(ctx context.Context, found []Candidate, named FilterNamed) ([]Candidate, error) {
	taken := make(map[string]bool)
	// Diga may return more resources in a page than requested.
	for some := range slices.Chunk(found, ledger.MaxNamed) {
		ids := make([]string, len(some))
		for i, candidate := range some {
			ids[i] = candidate.ID
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
	return slices.DeleteFunc(found, func(c Candidate) bool { return taken[c.ID] }), nil
}
