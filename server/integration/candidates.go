package integration

import (
	"context"

	"github.com/digate/digate/server/ledger"
	"github.com/digate/digate/server/ledger/doubt"
)

// candidates are the ids of integrations that a copy in doubt may have made, as
// far as the vendor shows them now.
func (c *copies) candidates(ctx context.Context, r ledger.Record) []string {
	found, err := doubt.Candidates(ctx, c.upstream, c.ledger.Named, r, doubt.Glance)
	if err != nil {
		return nil // the doubt is told all the same
	}
	var ids []string
	for _, in := range found {
		ids = append(ids, in.GetId())
	}
	return ids
}
