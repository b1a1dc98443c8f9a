package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/term"
	"github.com/digate/digate/server/ledger"
	"github.com/digate/digate/server/ledger/backend"
)

// ledgerStatsCmd shows the number and size of a ledger's records.
type ledgerStatsCmd struct {
	Output string `name:"output" short:"o" enum:"text,json" default:"text" help:"text, or json."`

	storeFlags `embed:""`
}

// Help is shown by --help.
func (ledgerStatsCmd) Help() string {
	return "It reads every record once and changes nothing. Servers may go on meanwhile.\n\n" + client.ExitHelpOfLedger
}

// ledgerStats is the JSON output of ledger stats.
type ledgerStats struct {
	Engine             string       `json:"engine"`
	Schema             int          `json:"schema"`
	SizeBytes          int64        `json:"size_bytes"`
	Records            int          `json:"records"`
	Doubts             int          `json:"doubts"`
	OldestDoubtSeconds float64      `json:"oldest_doubt_seconds,omitempty"`
	Expired            int          `json:"expired"`
	Groups             []statsGroup `json:"groups"`
}

type statsGroup struct {
	State   string    `json:"state"`
	Method  string    `json:"method"`
	Records int       `json:"records"`
	Oldest  time.Time `json:"oldest"`
	Newest  time.Time `json:"newest"`
}

func statsOf(o ledger.Overview, engine string, now time.Time) ledgerStats {
	s := ledgerStats{Engine: engine, Schema: o.Schema, SizeBytes: o.Size, Groups: []statsGroup{}}
	for _, g := range o.Groups {
		s.Groups = append(s.Groups, statsGroup{g.State, g.Method, g.Records, g.Oldest.UTC(), g.Newest.UTC()})
		s.Records += g.Records
		switch g.State {
		case ledger.Expired:
			s.Expired += g.Records
		case ledger.Unknown.String():
			s.Doubts += g.Records
			s.OldestDoubtSeconds = max(s.OldestDoubtSeconds, now.Sub(g.Oldest).Seconds())
		}
	}
	return s
}

func (c *ledgerStatsCmd) Run(ctx context.Context, std term.IO) error {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	o, engine, err := backend.Overview(ctx, c.settings())
	if err != nil {
		return err
	}
	now := time.Now()
	s := statsOf(o, engine, now)
	if c.Output == client.OutputJSON {
		return json.NewEncoder(std.Out).Encode(s)
	}
	doubts := strconv.Itoa(s.Doubts)
	if s.Doubts > 0 {
		doubts += ", the oldest of " + ageText(time.Duration(s.OldestDoubtSeconds*float64(time.Second))) + " ago"
	}
	if err := term.WriteFields(std.Out, [][2]string{
		{"ledger", s.Engine}, {"schema", strconv.Itoa(s.Schema)}, {"bytes", strconv.FormatInt(s.SizeBytes, 10)},
		{"records", strconv.Itoa(s.Records)}, {"doubts", doubts}, {"expired", strconv.Itoa(s.Expired)},
	}); err != nil || len(s.Groups) == 0 {
		return err
	}
	table := term.Table{{"STATE", "METHOD", "RECORDS", "OLDEST", "NEWEST"}}
	for _, g := range s.Groups {
		table = append(table, []string{g.State, g.Method, strconv.Itoa(g.Records), ageText(now.Sub(g.Oldest)), ageText(now.Sub(g.Newest))})
	}
	fmt.Fprintln(std.Out)
	return table.Write(std.Out, term.Columns(std.Out))
}

// ledgerPruneCmd deletes expired records.
type ledgerPruneCmd struct {
	DryRun bool `name:"dry-run" help:"Only say how many records have expired."`

	storeFlags `embed:""`
}

// Help is shown by --help.
func (ledgerPruneCmd) Help() string {
	return `Servers do the same each minute, so this is for a ledger that none uses. It
removes only records whose time is over: what a record in doubt, or one whose call
may still be sent, protects stays protected. Servers may go on meanwhile.

` + client.ExitHelpOfLedger
}

func (c *ledgerPruneCmd) Run(ctx context.Context, std term.IO) error {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	if c.DryRun {
		o, engine, err := backend.Overview(ctx, c.settings())
		if err == nil {
			_, err = fmt.Fprintf(std.Out, "%d records have expired; nothing was removed\n", statsOf(o, engine, time.Now()).Expired)
		}
		return err
	}
	removed := 0
	told := time.Now()
	err := backend.Prune(ctx, c.settings(), func(n int) {
		removed = n
		if time.Since(told) >= time.Second {
			told = time.Now()
			fmt.Fprintf(std.Err, "removed %d expired records so far\n", n)
		}
	})
	if err == nil || removed > 0 {
		fmt.Fprintf(std.Out, "removed %d expired records\n", removed)
	}
	return err
}

// ledgerCheckCmd looks for damaged records.
type ledgerCheckCmd struct {
	storeFlags `embed:""`
}

// exitHelpOfCheck describes the exit codes of ledger check.
const exitHelpOfCheck = `Exit codes:
  0  nothing is wrong
  1  the ledger could not be looked at
  2  wrong usage
  6  something is wrong: it is named, one line each`

// Help is shown by --help.
func (ledgerCheckCmd) Help() string {
	return "It reads everything once and changes nothing: the file or the indexes, every record, and whether the key is that of the records. Servers may go on meanwhile.\n\n" + exitHelpOfCheck
}

func (c *ledgerCheckCmd) Run(ctx context.Context, std term.IO) error {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	problems, err := backend.Check(ctx, c.settings())
	if err != nil {
		return err
	}
	for _, problem := range problems {
		fmt.Fprintln(std.Out, term.Printable(problem))
	}
	if len(problems) > 0 {
		return client.ExitError(client.ExitFindings)
	}
	_, err = fmt.Fprintln(std.Out, "nothing is wrong with the ledger")
	return err
}
