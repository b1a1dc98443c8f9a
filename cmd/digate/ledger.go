package main

import (
	"context"
	"fmt"
	"io"
	"slices"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/term"
	digatev1 "github.com/digate/digate/gen/digate/v1"
	"github.com/digate/digate/server/digajson"
)

type ledgerCmd struct {
	Show    ledgerShowCmd    `cmd:"" help:"Show what is recorded of a copy."`
	Resolve ledgerResolveCmd `cmd:"" help:"Settle for good what happened to a copy in doubt."`
}

// ledgerFlags are the flags of a command about one copy in the ledger.
type ledgerFlags struct {
	RequestID string `arg:"" name:"request_id" help:"The request id of the copy."`

	client.CallFlags `embed:""`
}

// call calls the LedgerService, on a connection of its own.
func (f *ledgerFlags) call(ctx context.Context, std term.IO, does client.Effect, call func(context.Context, digatev1.LedgerServiceClient) error) error {
	ctx, conn, done, err := f.Dial(ctx, std, does)
	if err != nil {
		return err
	}
	defer done()
	if err := call(ctx, digatev1.NewLedgerServiceClient(conn)); err != nil {
		return client.Fail(std.Err, f.Output, does, err)
	}
	return nil
}

func (f *ledgerFlags) get(ctx context.Context, std term.IO) (resp *digatev1.GetCopyResponse, err error) {
	err = f.call(ctx, std, client.Asks, func(ctx context.Context, service digatev1.LedgerServiceClient) (err error) {
		resp, err = service.GetCopy(ctx, &digatev1.GetCopyRequest{RequestId: f.RequestID})
		return err
	})
	return resp, err
}

type ledgerShowCmd struct {
	ledgerFlags `embed:""`
}

// Help is shown by --help.
func (ledgerShowCmd) Help() string { return client.ExitHelpOfLedger }

func (c *ledgerShowCmd) Run(ctx context.Context, std term.IO) error {
	resp, err := c.get(ctx, std)
	if err != nil {
		return err
	}
	if c.Output == client.OutputJSON {
		return client.PrintJSON(std.Out, resp)
	}
	found := resp.GetCopy()
	if err := showCopy(std.Out, found); err != nil {
		return err
	}
	if found.GetState() == digatev1.Copy_STATE_UNKNOWN {
		c.tellHowToResolve(std.Err, found)
	}
	return nil
}

// tellHowToResolve writes what may be concluded, and the commands that settle the
// copy.
func (c *ledgerShowCmd) tellHowToResolve(w io.Writer, found *digatev1.Copy) {
	if len(found.GetCandidates()) == 0 {
		fmt.Fprintln(w, "Diga lists no integration that the copy may have created. That does not prove that there is none: Diga may still be creating it.")
	}
	fmt.Fprintln(w, "The copy is not sent again until somebody settles what happened. One of these commands does:")
	suggest := func(resolution ...string) {
		words := slices.Concat([]string{"ledger", "resolve", c.RequestID}, resolution, c.Words())
		fmt.Fprintf(w, "  %s\n", term.Printable(term.ShellLine(words...)))
	}
	for _, candidate := range found.GetCandidates() {
		suggest("--integration", candidate.GetIntegrationId())
	}
	suggest("--not-created")
}

// showCopy writes a copy as text, and its candidates below it.
func showCopy(w io.Writer, found *digatev1.Copy) error {
	err := term.WriteFields(w, [][2]string{
		{"request_id", found.GetRequestId()},
		{"state", digajson.EnumText(found.GetState())},
		{"template", found.GetTemplateId()},
		{"claim_time", timeText(found.GetClaimTime())},
		{"integration", found.GetIntegrationId()},
		{"record", found.GetRecord()},
	})
	if err != nil || len(found.GetCandidates()) == 0 {
		return err
	}
	candidates := term.Table{{"CANDIDATE", "NAME", "CREATED"}}
	for _, candidate := range found.GetCandidates() {
		candidates = append(candidates, []string{candidate.GetIntegrationId(), candidate.GetName(), timeText(candidate.GetCreateTime())})
	}
	fmt.Fprintln(w)
	return candidates.Write(w, term.Columns(w))
}

func timeText(t *timestamppb.Timestamp) string {
	if t == nil {
		return ""
	}
	return t.AsTime().Format("2006-01-02T15:04:05Z07:00")
}
