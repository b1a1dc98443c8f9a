package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/term"
	digatev1 "github.com/digate/digate/gen/digate/v1"
)

type ledgerResolveCmd struct {
	Integration string `name:"integration" placeholder:"ID" xor:"resolution" required:"" help:"The call created this integration."`
	Tool        string `name:"tool" placeholder:"ID" xor:"resolution" required:"" help:"The call created this tool."`
	NotCreated  bool   `name:"not-created" xor:"resolution" required:"" help:"The call created nothing. Its record is deleted, and its request id can be used again."`
	Yes         bool   `name:"yes" short:"y" help:"Do not ask."`

	resolveFlags `embed:""`
	ledgerFlags  `embed:""`
}

// Help is shown by --help.
func (ledgerResolveCmd) Help() string {
	return "On a terminal, it shows the call and asks before it settles it; elsewhere it needs --yes. Nothing is sent to Diga. Take care with --not-created: if the call created something after all, the next call with its request id creates a second one.\n\n" + client.ExitHelpOfLedger
}

func (c *ledgerResolveCmd) Run(ctx context.Context, std term.IO) error {
	if err := std.CannotAsk(); !c.Yes && err != nil {
		return client.WrongUsage(std.Err, fmt.Errorf("%w; --yes settles the call without asking", err))
	}
	if c.Record != "" {
		if !c.local() {
			return client.WrongUsage(std.Err, errors.New("--record: only the ledger itself can be changed, which --ledger names (sqlite:PATH or postgres://…); an admin listener knows nobody, and changes nothing"))
		}
		return c.resolveOperator(ctx, std)
	}
	found, err := c.get(ctx, std)
	if err != nil {
		return err
	}
	record, err := one(found)
	if err != nil {
		return client.WrongUsage(std.Err, err)
	}
	if !c.Yes {
		if err := c.confirm(ctx, std, record); err != nil {
			return err
		}
	}
	req := &digatev1.ResolveCopyRequest{RequestId: c.RequestID, Method: record.GetMethod()}
	switch {
	case c.NotCreated:
		req.Resolution = &digatev1.ResolveCopyRequest_NotCreated{NotCreated: true}
	case c.Tool != "":
		req.Resolution = &digatev1.ResolveCopyRequest_ToolId{ToolId: c.Tool}
	default:
		req.Resolution = &digatev1.ResolveCopyRequest_IntegrationId{IntegrationId: c.Integration}
	}
	var resp *digatev1.ResolveCopyResponse
	err = c.call(ctx, std, client.Settles, func(ctx context.Context, service digatev1.LedgerServiceClient) (err error) {
		resp, err = service.ResolveCopy(ctx, req)
		return err
	})
	switch {
	case err != nil:
		return err
	case c.Output == client.OutputJSON:
		return client.PrintJSON(std.Out, resp)
	case c.NotCreated:
		_, err = fmt.Fprintf(std.Out, "the record of the call %s is deleted, and its request id can be used again\n", term.Printable(c.RequestID))
		return err
	default:
		return showRecord(std.Out, resp.GetCopy())
	}
}

// confirm shows the call and asks whether to settle it.
func (c *ledgerResolveCmd) confirm(ctx context.Context, std term.IO, record *digatev1.Copy) error {
	if err := showRecord(std.Err, record); err != nil {
		return err
	}
	what := "created nothing, and may be sent again"
	switch {
	case c.Tool != "":
		what = "created the tool " + c.Tool
	case c.Integration != "":
		what = "created the integration " + c.Integration
	}
	return term.Confirm(ctx, std, fmt.Sprintf("Settle for good that the call %s?", what), "nothing was settled")
}
