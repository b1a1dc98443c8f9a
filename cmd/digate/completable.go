package main

import (
	"context"

	"github.com/alecthomas/kong"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/complete"
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
		return c.Templates.List.list().candidates(ctx)
	case "digate integrations list":
		return c.Integrations.List.list().candidates(ctx)
	case "digate tools list":
		return c.Tools.List.list().candidates(ctx)
	}
	return nil
}

// candidates reads the list to its end, or its first maxCandidates items. It uses
// only the flags of the connection: settings about paging are for lists that people
// ask for.
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
