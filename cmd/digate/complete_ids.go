package main

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
)

// completionTime is how long whoever presses Tab waits for ids at most.
const completionTime = time.Second

// maxCandidates bounds the ids that are offered.
const maxCandidates = 1000

// ids asks a running digate for the ids that an argument may have. It is reached
// as the command itself would: by flags, environment and settings file.
func (l *lineSoFar) ids(ctx context.Context, arg string) []candidate {
	ctx, cancel := context.WithTimeout(ctx, completionTime)
	defer cancel()
	switch arg {
	case "template_id":
		return listIDs(ctx, l.listing("templates", "list"), func(c *cli) (*listFlags, getPage[*integrationv1.ListTemplatesResponse]) {
			return &c.Templates.List.listFlags, c.Templates.List.page
		}, func(p *integrationv1.ListTemplatesResponse) (found []candidate) {
			for _, x := range p.GetData() {
				found = append(found, candidate{x.GetId(), x.GetName()})
			}
			return found
		})
	case "integration_id":
		return listIDs(ctx, l.listing("integrations", "list"), func(c *cli) (*listFlags, getPage[*integrationv1.ListIntegrationsResponse]) {
			return &c.Integrations.List.listFlags, c.Integrations.List.page
		}, func(p *integrationv1.ListIntegrationsResponse) (found []candidate) {
			for _, x := range p.GetData() {
				found = append(found, candidate{x.GetId(), x.GetName()})
			}
			return found
		})
	case "tool_id":
		if len(l.args) == 0 {
			return nil
		}
		return listIDs(ctx, l.listing("tools", "list", "--", l.args[0]), func(c *cli) (*listFlags, getPage[*integrationv1.ListToolsResponse]) {
			return &c.Tools.List.listFlags, c.Tools.List.page
		}, func(p *integrationv1.ListToolsResponse) (found []candidate) {
			for _, x := range p.GetData() {
				if row := toolRow(x); row[0] != "" {
					found = append(found, candidate{row[0], row[1]})
				}
			}
			return found
		})
	}
	return nil
}

// listing is the command line that lists what is to be completed: its
// connection is that of the line so far.
func (l *lineSoFar) listing(command ...string) []string {
	args := command[:2:2]
	for _, flag := range l.flags {
		for _, name := range []string{"config", "addr", "tls", "ca-file", "token-file", "language"} {
			of := flag == "--"+name || strings.HasPrefix(flag, "--"+name+"=")
			if of && (name != "language" || command[0] == "templates") {
				args = append(args, flag)
			}
		}
	}
	return append(args, command[2:]...)
}

// listIDs runs a listing for its ids, without a word.
func listIDs[P page](ctx context.Context, args []string, command func(*cli) (*listFlags, getPage[P]), ids func(P) []candidate) []candidate {
	c := new(cli)
	std := stdio{nil, io.Discard, io.Discard}
	parser, err := newParser(ctx, c, std, func(int) {})
	if err != nil {
		return nil
	}
	if _, err := parser.Parse(args); err != nil {
		return nil
	}
	f, get := command(c)
	*f = listFlags{All: true, callFlags: f.callFlags} // of paging, nothing that the environment says
	ctx, client, done, err := f.dial(ctx, std, reads)
	if err != nil {
		return nil
	}
	defer done()
	n := 0
	all, _ := everyPage(ctx, client, nil, func(ctx context.Context, client integrationv1.IntegrationServiceClient, after *string) (P, error) {
		if n += maxPage; n > maxCandidates {
			var none P
			return none, errEnough
		}
		return get(ctx, client, after)
	})
	return ids(all)
}

var errEnough = errors.New("enough")
