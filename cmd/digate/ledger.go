package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"google.golang.org/protobuf/types/known/timestamppb"

	digatev1 "github.com/digate/digate/gen/digate/v1"
	"github.com/digate/digate/server/digajson"
)

type ledgerCmd struct {
	Show    ledgerShowCmd    `cmd:"" help:"Show what is known of a copy."`
	Resolve ledgerResolveCmd `cmd:"" help:"Say what became of a copy in doubt, for good."`
}

// ledgerFlags are those of every command that asks the ledger.
type ledgerFlags struct {
	RequestID string `arg:"" name:"request_id" help:"What the copy was asked for with."`

	callFlags `embed:""`
}

// ask calls the ledger's service.
func (f *ledgerFlags) ask(ctx context.Context, std stdio, does effect, call func(context.Context, digatev1.LedgerServiceClient) error) error {
	ctx, conn, done, err := f.connect(ctx)
	if errors.As(err, new(*unreachableError)) {
		return fail(std.err, f.Output, does, err)
	}
	if err != nil {
		return err
	}
	defer done()
	if err := call(ctx, digatev1.NewLedgerServiceClient(conn)); err != nil {
		return fail(std.err, f.Output, does, err)
	}
	return nil
}

func (f *ledgerFlags) get(ctx context.Context, std stdio) (resp *digatev1.GetCopyResponse, err error) {
	err = f.ask(ctx, std, reads, func(ctx context.Context, client digatev1.LedgerServiceClient) (err error) {
		resp, err = client.GetCopy(ctx, &digatev1.GetCopyRequest{RequestId: f.RequestID})
		return err
	})
	return resp, err
}

type ledgerShowCmd struct {
	ledgerFlags `embed:""`
}

// Help is shown by --help.
func (ledgerShowCmd) Help() string { return exitHelpOfReads }

func (c *ledgerShowCmd) Run(ctx context.Context, std stdio) error {
	resp, err := c.get(ctx, std)
	if err != nil {
		return err
	}
	if c.Output == outputJSON {
		return printJSON(std.out, resp)
	}
	found := resp.GetCopy()
	if err := showCopy(std.out, found); err != nil {
		return err
	}
	if found.GetState() == digatev1.Copy_STATE_UNKNOWN {
		c.tellHowToResolve(std.err, found)
	}
	return nil
}

// tellHowToResolve says what may be concluded, and the commands that settle it.
func (c *ledgerShowCmd) tellHowToResolve(w io.Writer, found *digatev1.Copy) {
	if len(found.GetCandidates()) == 0 {
		fmt.Fprintln(w, "Diga lists no integration that it may have created, which does not prove that there is none: Diga may still be at it.")
	}
	fmt.Fprintln(w, "It is not sent again until somebody says what became of it:")
	command := []string{"ledger", "resolve", c.RequestID}
	for _, candidate := range found.GetCandidates() {
		fmt.Fprintf(w, "  %s\n", printable(shellLine(append(append(command, "--integration", candidate.GetIntegrationId()), c.words()...))))
	}
	fmt.Fprintf(w, "  %s\n", printable(shellLine(append(append(command, "--not-created"), c.words()...))))
}

// showCopy writes a copy as text, with its candidates below.
func showCopy(w io.Writer, found *digatev1.Copy) error {
	err := printFields(w, [][2]string{
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
	candidates := table{{"CANDIDATE", "NAME", "CREATED"}}
	for _, candidate := range found.GetCandidates() {
		candidates = append(candidates, []string{candidate.GetIntegrationId(), candidate.GetName(), timeText(candidate.GetCreateTime())})
	}
	fmt.Fprintln(w)
	return candidates.write(w, terminalColumns(w))
}

func timeText(t *timestamppb.Timestamp) string {
	if t == nil {
		return ""
	}
	return t.AsTime().Format("2006-01-02T15:04:05Z07:00")
}

type ledgerResolveCmd struct {
	Integration string `name:"integration" placeholder:"ID" xor:"resolution" required:"" help:"It created this integration."`
	NotCreated  bool   `name:"not-created" xor:"resolution" required:"" help:"It created none: it is forgotten, and may be asked for anew."`
	Yes         bool   `name:"yes" short:"y" help:"Do not ask."`

	ledgerFlags `embed:""`
}

// Help is shown by --help.
func (ledgerResolveCmd) Help() string {
	return "On a terminal it shows the copy and asks before it settles it; elsewhere it wants --yes. Nothing is sent to Diga by it. If --not-created is said of a copy that was created, the next call with its request id creates a second one.\n\n" + exitHelp
}

func (c *ledgerResolveCmd) Run(ctx context.Context, std stdio) error {
	if !c.Yes {
		if !isTerminal(std.in) {
			complain(std.err, errors.New("standard input is no terminal, so nobody can be asked: --yes settles it without asking"))
			return exitError(exitUsage)
		}
		if err := c.confirm(ctx, std); err != nil {
			return err
		}
	}
	req := &digatev1.ResolveCopyRequest{RequestId: c.RequestID}
	if c.NotCreated {
		req.Resolution = &digatev1.ResolveCopyRequest_NotCreated{NotCreated: true}
	} else {
		req.Resolution = &digatev1.ResolveCopyRequest_IntegrationId{IntegrationId: c.Integration}
	}
	var resp *digatev1.ResolveCopyResponse
	err := c.ask(ctx, std, changes, func(ctx context.Context, client digatev1.LedgerServiceClient) (err error) {
		resp, err = client.ResolveCopy(ctx, req)
		return err
	})
	switch {
	case err != nil:
		return err
	case c.Output == outputJSON:
		return printJSON(std.out, resp)
	case c.NotCreated:
		_, err = fmt.Fprintf(std.out, "the copy %s is forgotten, and may be asked for anew\n", printable(c.RequestID))
		return err
	default:
		return showCopy(std.out, resp.GetCopy())
	}
}

// confirm shows the copy and asks whether to settle it.
func (c *ledgerResolveCmd) confirm(ctx context.Context, std stdio) error {
	resp, err := c.get(ctx, std)
	if err != nil {
		return err
	}
	if err := showCopy(std.err, resp.GetCopy()); err != nil {
		return err
	}
	what := "created the integration " + c.Integration
	if c.NotCreated {
		what = "created nothing, so that it may be sent again"
	}
	fmt.Fprintf(std.err, "Settle for good that it %s? [y/N] ", printable(what))
	answer, err := readLine(ctx, std.in)
	if err != nil {
		fmt.Fprintln(std.err)
		return fmt.Errorf("nothing was settled: %w", err)
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return errors.New("nothing was settled")
}
