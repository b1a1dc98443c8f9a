package main

import (
	"context"
	"errors"

	"github.com/alecthomas/kong"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/complete"
	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
)

// maxCandidates bounds the ids that are offered.
const maxCandidates = 1000

// completable is this program, for [complete.Write].
type completable struct{}

// Parser returns a parser of every command.
func (completable) Parser(ctx context.Context) (*kong.Kong, error) {
	return newParser(ctx, &cli{}, discard, func(int) {})
}

// IDs runs a command that lists and returns the ids it finds. The command line
// names the server, as it would for the command itself: by flags, environment
// and settings file. An error ends the list early.
func (completable) IDs(ctx context.Context, args []string) []complete.Candidate {
	c := new(cli)
	parser, err := newParser(ctx, c, discard, func(int) {})
	if err != nil {
		return nil
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		return nil
	}
	switch parsed.Selected().FullPath() {
	case "digate templates list":
		list := &c.Templates.List
		return idsOf(ctx, &list.listFlags, list.page, func(p *integrationv1.ListTemplatesResponse) (found []complete.Candidate) {
			for _, x := range p.GetData() {
				found = append(found, complete.Candidate{Value: x.GetId(), About: x.GetName()})
			}
			return found
		})
	case "digate integrations list":
		list := &c.Integrations.List
		return idsOf(ctx, &list.listFlags, list.page, func(p *integrationv1.ListIntegrationsResponse) (found []complete.Candidate) {
			for _, x := range p.GetData() {
				found = append(found, complete.Candidate{Value: x.GetId(), About: x.GetName()})
			}
			return found
		})
	case "digate tools list":
		list := &c.Tools.List
		return idsOf(ctx, &list.listFlags, list.page, func(p *integrationv1.ListToolsResponse) (found []complete.Candidate) {
			for _, x := range p.GetData() {
				if row := toolRow(x); row[0] != "" {
					found = append(found, complete.Candidate{Value: row[0], About: row[1]})
				}
			}
			return found
		})
	}
	return nil
}

// idsOf reads pages until the list ends or has maxCandidates ids. It uses only
// the flags of the connection: settings about paging are for lists that people
// ask for.
func idsOf[P page](ctx context.Context, f *listFlags, get getPage[P], ids func(P) []complete.Candidate) []complete.Candidate {
	*f = listFlags{All: true, CallFlags: f.CallFlags}
	ctx, client, done, err := f.DialIntegrations(ctx, discard, client.Reads)
	if err != nil {
		return nil
	}
	defer done()
	n := 0
	all, _ := everyPage(ctx, client, nil, func(ctx context.Context, client integrationv1.IntegrationServiceClient, after *string) (P, error) {
		if n += maxPage; n > maxCandidates {
			var none P
			return none, errors.New("enough")
		}
		return get(ctx, client, after)
	})
	return ids(all)
}
