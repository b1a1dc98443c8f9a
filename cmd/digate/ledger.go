package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/term"
	digatev1 "github.com/digate/digate/gen/digate/v1"
	"github.com/digate/digate/server/digajson"
)

type ledgerCmd struct {
	List    ledgerListCmd    `cmd:"" help:"List the recorded calls of all callers. For operators."`
	Migrate ledgerMigrateCmd `cmd:"" help:"Create a ledger, or bring it up to date. For operators."`
	Backup  ledgerBackupCmd  `cmd:"" help:"Copy a ledger in a file, with its key. For operators."`
	Stats   ledgerStatsCmd   `cmd:"" help:"Show how many records a ledger has, in which states, and its size. For operators."`
	Prune   ledgerPruneCmd   `cmd:"" help:"Remove the records of a ledger that have expired. For operators."`
	Check   ledgerCheckCmd   `cmd:"" help:"Look for damage in a ledger. For operators."`
	Show    ledgerShowCmd    `cmd:"" help:"Show what is recorded of a call with a request id."`
	Resolve ledgerResolveCmd `cmd:"" help:"Settle for good what happened to a call in doubt."`
}

// ledgerFlags are the flags of a command about one call in the ledger.
type ledgerFlags struct {
	RequestID string `arg:"" name:"request_id" optional:"" help:"The request id of the call, which was made with the same token."`
	Record    string `name:"record" placeholder:"NAME" help:"The name of the call's record instead, as the log has it (ledger_record), or its first digits. For operators: needs no token."`
	Method    string `name:"method" enum:"CopyTemplate,CreateIntegration,CreateTool," default:"" placeholder:"METHOD" help:"The method that was called, CopyTemplate, CreateIntegration or CreateTool. Each has request ids of its own. Default: the one that has a record."`

	operatorFlags    `embed:""`
	client.CallFlags `embed:""`
}

// Validate implements kong's hook.
func (f *ledgerFlags) Validate() error {
	if (f.RequestID == "") == (f.Record == "") {
		return errors.New("give a request id, or --record with the name of a record")
	}
	return f.CallFlags.Validate()
}

// ledgerMethods are the methods that --method can name, in the order in which they are
// looked up.
var ledgerMethods = []struct {
	name   string
	method digatev1.Method
}{
	{"CopyTemplate", digatev1.Method_METHOD_COPY_TEMPLATE},
	{"CreateIntegration", digatev1.Method_METHOD_CREATE_INTEGRATION},
	{"CreateTool", digatev1.Method_METHOD_CREATE_TOOL},
}

func methodName(m digatev1.Method) string {
	for _, known := range ledgerMethods {
		if known.method == m {
			return known.name
		}
	}
	return ""
}

// call calls the LedgerService on a connection of its own.
func (f *ledgerFlags) call(ctx context.Context, std term.IO, does client.Effect, call func(context.Context, digatev1.LedgerServiceClient) error) error {
	ctx, conn, done, err := f.Dial(ctx, std, does)
	if err != nil {
		return err
	}
	defer done()
	if err := call(ctx, digatev1.NewLedgerServiceClient(conn)); err != nil {
		return client.Fail(std.Err, f.Output, does, err, f.look(does)...)
	}
	return nil
}

// look returns the arguments of the command that shows more after a failure: what Diga
// has, since there may be no record, or the record that was not settled.
func (f *ledgerFlags) look(does client.Effect) []string {
	words := []string{"integrations", "list"}
	if does == client.Settles {
		words = slices.Concat([]string{"ledger", "show"}, f.which(f.Record))
	}
	return append(words, f.Words()...)
}

// which returns the arguments that identify the call to a command: its request id, or its
// record and the ledger.
func (f *ledgerFlags) which(record string) []string {
	if f.Record == "" {
		return []string{f.RequestID}
	}
	return append([]string{"--record", record}, f.ledgerWords()...)
}

// get returns the records for the request id, of all methods unless --method names one.
// It fails if there are none.
func (f *ledgerFlags) get(ctx context.Context, std term.IO) (found []*digatev1.GetCopyResponse, _ error) {
	err := f.call(ctx, std, client.Asks, func(ctx context.Context, service digatev1.LedgerServiceClient) error {
		var none error
		for _, m := range ledgerMethods {
			if f.Method != "" && f.Method != m.name {
				continue
			}
			resp, err := service.GetCopy(ctx, &digatev1.GetCopyRequest{RequestId: f.RequestID, Method: m.method})
			switch {
			case status.Code(err) == codes.NotFound:
				none = err
			case err != nil:
				return err
			case resp.GetCopy().GetMethod() == m.method:
				found = append(found, resp)
			}
		}
		if len(found) == 0 {
			return none
		}
		return nil
	})
	return found, err
}

type ledgerShowCmd struct {
	ledgerFlags `embed:""`
}

// Help is shown by --help.
func (ledgerShowCmd) Help() string { return client.ExitHelpOfLedger }

func (c *ledgerShowCmd) Run(ctx context.Context, std term.IO) error {
	var found []*digatev1.GetCopyResponse
	var err error
	var hint string
	if c.Record == "" {
		found, err = c.get(ctx, std)
	} else {
		if err := c.ReadToken(ctx, std); err != nil { // before the timeout starts
			return err
		}
		bounded, cancel := context.WithTimeout(ctx, c.Timeout)
		defer cancel()
		found = make([]*digatev1.GetCopyResponse, 1)
		found[0], hint, err = c.showOperator(bounded)
	}
	if err != nil {
		return err
	}
	for i, resp := range found {
		if c.Output == client.OutputJSON {
			if err := client.PrintJSON(std.Out, resp); err != nil {
				return err
			}
			continue
		}
		if i > 0 {
			fmt.Fprintln(std.Out)
		}
		record := resp.GetCopy()
		if err := showRecord(std.Out, record); err != nil {
			return err
		}
		if record.GetState() == digatev1.Copy_STATE_UNKNOWN {
			c.tellHowToResolve(std.Err, record, hint, len(found) > 1)
		}
	}
	return nil
}

// tellHowToResolve writes what the record proves, and the commands that settle the call.
// The commands name the method if the request id has several records.
func (c *ledgerShowCmd) tellHowToResolve(w io.Writer, record *digatev1.Copy, hint string, several bool) {
	if hint != "" {
		fmt.Fprintln(w, term.Printable(hint))
	} else if len(record.GetCandidates()) == 0 {
		fmt.Fprintln(w, "Diga lists nothing that the call may have created. That does not prove that there is nothing: Diga may still be creating it.")
	}
	fmt.Fprintln(w, "The call is not sent again until somebody settles what happened. One of these commands does:")
	suggest := func(resolution ...string) {
		if several {
			resolution = append(resolution, "--method", methodName(record.GetMethod()))
		}
		of := c.which(record.GetRecord()[:min(len(record.GetRecord()), shortName)])
		words := slices.Concat([]string{"ledger", "resolve"}, of, resolution, c.Words())
		fmt.Fprintf(w, "  %s\n", term.Printable(term.ShellLine(words...)))
	}
	for _, candidate := range record.GetCandidates() {
		if id := candidate.GetToolId(); id != "" {
			suggest("--tool", id)
		} else {
			suggest("--integration", candidate.GetIntegrationId())
		}
	}
	if len(record.GetCandidates()) == 0 {
		created := "--integration"
		if record.GetMethod() == digatev1.Method_METHOD_CREATE_TOOL {
			created = "--tool"
		}
		suggest(created, "ID")
	}
	fmt.Fprintln(w, "This one only if the call surely created nothing: the next call with its\nrequest id creates it then, and if it was there after all, a second time:")
	suggest("--not-created")
}

// showRecord writes a record as text, with its candidates.
func showRecord(w io.Writer, record *digatev1.Copy) error {
	fields := [][2]string{
		{"request_id", record.GetRequestId()},
		{"method", methodName(record.GetMethod())},
		{"state", digajson.EnumText(record.GetState())},
	}
	switch record.GetMethod() {
	case digatev1.Method_METHOD_CREATE_INTEGRATION:
	case digatev1.Method_METHOD_CREATE_TOOL:
		fields = append(fields, [2]string{"parent", record.GetParentIntegrationId()})
	default:
		fields = append(fields, [2]string{"template", record.GetTemplateId()})
	}
	fields = append(fields, [2]string{"claim_time", timeText(record.GetClaimTime())})
	created := [2]string{"integration", record.GetIntegrationId()}
	if record.GetMethod() == digatev1.Method_METHOD_CREATE_TOOL {
		created = [2]string{"tool", record.GetToolId()}
	}
	if created[1] == "" && record.GetState() == digatev1.Copy_STATE_DONE {
		created[1] = "(its id is too long to be recorded)"
	}
	fields = append(fields, created)
	if err := term.WriteFields(w, append(fields, [2]string{"record", record.GetRecord()})); err != nil || len(record.GetCandidates()) == 0 {
		return err
	}
	candidates := term.Table{{"CANDIDATE", "NAME", "CREATED"}}
	for _, c := range record.GetCandidates() {
		candidates = append(candidates, []string{c.GetIntegrationId() + c.GetToolId(), c.GetName(), timeText(c.GetCreateTime())})
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

// one returns the only record that a resolution can refer to.
func one(found []*digatev1.GetCopyResponse) (*digatev1.Copy, error) {
	if len(found) > 1 {
		found = slices.DeleteFunc(slices.Clone(found), func(resp *digatev1.GetCopyResponse) bool {
			return resp.GetCopy().GetState() != digatev1.Copy_STATE_UNKNOWN
		})
	}
	if len(found) != 1 {
		return nil, errors.New("several methods have a record with this request id; --method names the one that is meant")
	}
	return found[0].GetCopy(), nil
}
