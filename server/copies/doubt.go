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

// Named returns those of the ids, at most [ledger.MaxNamed], that a record names.
type Named func(ctx context.Context, createdIDs []string) ([]string, error)

// Glance, Look and Search are how far back Diga's list is read, in pages of a
// hundred resources, each page a request. A glance is for an error that many callers
// may get; a look is for a person who is about to settle a doubt; a search is for the
// mark of a call, which settles it.
const (
	Glance = 1
	Look   = 10
	Search = 100
)

const (
	pageSize = 100
	// clockSkew is how far Diga's clock may be behind the ledger's. If it is further
	// behind, candidates are missed. A generous value shows some integrations that
	// are older than the call, which a person can tell by their time.
	clockSkew = 10 * time.Minute
)

// Candidate is an integration or a tool that a call in doubt may have created.
type Candidate struct {
	ID, Name string
	// Created is nil if Diga does not say when that was, as of a tool.
	Created *timestamppb.Timestamp
	// template is the template that Diga names as an integration's source.
	template string
}

// candidates returns the ids of what a call in doubt may have created, as far as
// Diga shows it now. If Diga or the ledger cannot be asked, there are none: the
// doubt is reported all the same.
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

// Candidates returns what a call in doubt may have created and no other record
// names: integrations created since the claim, from the template of a copy or from
// none that Diga names, or tools of the integration. It reads at most that many
// pages of Diga's list. An error is an [apierror.Error].
func Candidates(ctx context.Context, up Upstream, named Named, m Method, r ledger.Record, pages int) ([]Candidate, error) {
	found, err := listed(ctx, up, m, r, pages)
	if err != nil {
		return nil, err
	}
	return unnamed(ctx, found, named)
}

// listed returns what a call in doubt may have created, whether or not other records
// name it. Each resource is there once, even if Diga lists it twice, and a list that
// begins anew is read no further.
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
			if mayBeOf(m, r, candidate) {
				found = append(found, candidate)
			}
		}
		if !more || len(seen) == before || past(r, page) {
			break
		}
		after = &page[len(page)-1].ID
	}
	return found, nil
}

// Confirm returns the id, as Diga spells it, of what a call in doubt has created
// according to the caller. It returns an empty id if the call cannot have created
// that, or if another record names it. What Diga shows by its id need not be among
// the candidates, whose list may be too long to read.
func Confirm(ctx context.Context, up Upstream, named Named, m Method, r ledger.Record, createdID string) (string, error) {
	inner, _ := exchange.NewContext(ctx)
	shown, err := m.creates().show(inner, up, r, createdID)
	found := []Candidate{shown}
	if err == nil && strings.EqualFold(shown.ID, createdID) {
		if !mayBeOf(m, r, shown) {
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

// mayBeOf reports whether the call may have created the candidate. Diga may spell
// the template's id differently from the caller, and need not name it.
func mayBeOf(m Method, r ledger.Record, c Candidate) bool {
	return !before(r, c) && (c.template == "" || m == CopyTemplate && strings.EqualFold(c.template, r.ParentID))
}

// before reports whether the candidate was created before the call was claimed.
func before(r ledger.Record, c Candidate) bool {
	return c.Created != nil && c.Created.AsTime().Before(r.ClaimedAt.Add(-clockSkew))
}

// past reports whether everything behind a page was created before the call was
// claimed. That is so if all of the page was, and if the page shows the newest
// first, which Diga was asked for and need not do.
func past(r ledger.Record, page []Candidate) bool {
	first, last := page[0].Created.AsTime(), page[len(page)-1].Created.AsTime()
	return last.Before(first) && !slices.ContainsFunc(page, func(c Candidate) bool { return !before(r, c) })
}

// unnamed returns those of the candidates that no record names.
func unnamed(ctx context.Context, found []Candidate, named Named) ([]Candidate, error) {
	taken := make(map[string]bool)
	// Diga may put more on a page than it was asked for.
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
