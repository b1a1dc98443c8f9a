package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/term"
	"github.com/digate/digate/server/ledger"
	"github.com/digate/digate/server/ledger/listing"
)

// ledgerListCmd lists the records of all callers, for an operator.
type ledgerListCmd struct {
	State    string        `name:"state" enum:"claimed,sending,done,unknown," default:"" placeholder:"STATE" help:"Only records in this state: claimed, sending, done, or unknown, which are the calls in doubt."`
	Template string        `name:"template" placeholder:"ID" help:"Only copies of this template, or tools of this integration."`
	Since    string        `name:"since" placeholder:"TIME" help:"Only calls since this time (2006-01-02T15:04:05Z), or within this duration (2h)."`
	Limit    int           `name:"limit" default:"100" help:"How many records to show."`
	Output   string        `name:"output" short:"o" enum:"text,json" default:"text" help:"text, or json."`
	Timeout  time.Duration `name:"timeout" default:"60s" help:"Time limit for everything."`

	operatorFlags `embed:""`
}

// Help is shown by --help.
func (ledgerListCmd) Help() string {
	return `It lists records of all callers, the latest first, and needs no token. A record
is named by its first digits, as ledger show and resolve take them with --record.
The log of a server names it by all of them (ledger_record).

` + client.ExitHelpOfLedger
}

// Validate implements kong's hook.
func (c *ledgerListCmd) Validate() error {
	if c.Limit < 1 || c.Limit >= ledger.MaxListed {
		return fmt.Errorf("--limit: must be between 1 and %d", ledger.MaxListed-1)
	}
	if c.Timeout <= 0 {
		return errors.New("--timeout: must be more than 0")
	}
	if c.Template != "" && uuid.Validate(c.Template) != nil {
		return errors.New("--template: must be a whole id, a UUID")
	}
	if _, err := listing.ParseSince(c.Since, time.Now()); c.Since != "" && err != nil {
		return fmt.Errorf("--since: %w", err)
	}
	return nil
}

func (c *ledgerListCmd) Run(ctx context.Context, std term.IO) error {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	q := ledger.Query{Limit: c.Limit}
	if c.Template != "" {
		q.ParentID = uuid.MustParse(c.Template).String() // already validated; records have this spelling
	}
	if c.State != "" {
		q.State, _ = ledger.ParseState(c.State) // one of the flag's values
	}
	if c.Since != "" {
		q.Since, _ = listing.ParseSince(c.Since, time.Now()) // already validated
	}
	page, err := c.list(ctx, q)
	if err != nil {
		return err
	}
	if c.Output == client.OutputJSON {
		return json.NewEncoder(std.Out).Encode(page)
	}
	if err := writeRecords(std.Out, page.Records, time.Now()); err != nil {
		return err
	}
	switch {
	case len(page.Records) == 0:
		fmt.Fprintln(std.Err, "There is no such record.")
	case page.More:
		fmt.Fprintln(std.Err, "There are more: see --limit, --state and --since.")
	}
	return nil
}

// shortName is how many digits of a record's name a table shows.
const shortName = 12

// writeRecords writes a table of records.
func writeRecords(w io.Writer, records []listing.Record, now time.Time) error {
	table := term.Table{{"RECORD", "STATE", "AGE", "METHOD", "OF", "CREATED"}}
	columns := len(table[0]) - 1
	for _, r := range records {
		table = append(table, []string{
			r.Record[:min(len(r.Record), shortName)], r.State, ageText(now.Sub(r.ClaimTime)), r.Method, r.ParentID, r.CreatedID,
		})
		if r.CreatedID != "" {
			columns = len(table[0])
		}
	}
	for i := range table {
		table[i] = table[i][:columns] // without the last column if nothing was created
	}
	return table.Write(w, term.Columns(w))
}

// ageText returns a duration in its two largest units: 12s, 5m10s, 3h20m, 2d4h.
func ageText(d time.Duration) string {
	switch d = max(0, d); {
	case d < time.Hour:
		return d.Truncate(time.Second).String()
	case d < 24*time.Hour:
		return strings.TrimSuffix(d.Truncate(time.Minute).String(), "0s")
	default:
		return fmt.Sprintf("%dd%dh", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
	}
}

// operatorLog returns the log of an operator's actions: one line of JSON for each.
func operatorLog(w io.Writer) *slog.Logger { return slog.New(slog.NewJSONHandler(w, nil)) }
