package main

import (
	"context"

	"github.com/alecthomas/kong"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/complete"
)

// maxCandidates is the maximum number of ids that are offered.
const maxCandidates = 1000

// completable implements completion for this program, for [complete.Write].
type completable struct{}

// Parser returns a parser for all commands.
func (completable) Parser(ctx context.Context) (*kong.Kong, error) {
	return newParser(ctx, &cli{}, discard, func(int) {})
}

// IDs runs a command that lists ids and returns them. Flags, environment and settings
// file of the command line choose the server, as for the command itself. After an error,
// the list ends early.
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
		return c.Templates.List.list().candidates(ctx)
	case "digate integrations list":
		return c.Integrations.List.list().candidates(ctx)
	case "digate tools list":
		return c.Tools.List.list().candidates(ctx)
	}
	return nil
}

// candidates reads the list to its end, but at most maxCandidates items. It uses only the
// connection flags: settings for paging apply only to lists that a person requests.
func (l list[P]) candidates(ctx context.Context) (found []complete.Candidate) {
	*l.flags = listFlags{All: true, CallFlags: l.flags.CallFlags}
	ctx, service, done, err := l.flags.DialIntegrations(ctx, discard, client.Reads)
	if err != nil {
		return nil
	}
	defer done()
	all, _ := l.every(ctx, service, nil, new(int32(maxCandidates)))
	for _, row := range l.table(all)[1:] {
		if row[0] != "" {
			found = append(found, complete.Candidate{Value: row[0], About: row[1]})
		}
	}
	return found
}
