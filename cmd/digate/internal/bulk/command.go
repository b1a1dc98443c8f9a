// Package bulk copies a template for each row of a file. An interrupted run can
// be repeated: it finishes the rest and copies nothing twice.
package bulk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"google.golang.org/grpc/status"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/file"
	"github.com/digate/digate/cmd/digate/internal/term"
)

// Command is the bulk command.
type Command struct {
	File      string `arg:"" name:"file" help:"CSV or NDJSON file; - is standard input."`
	Format    string `name:"format" enum:"csv,ndjson," default:"" placeholder:"FORMAT" help:"csv or ndjson. Without it, the end of the file's name decides (.csv, .ndjson, .jsonl)."`
	Template  string `name:"template" placeholder:"ID" help:"Template for rows without a template_id."`
	VarPrefix string `name:"var-prefix" default:"var." help:"Prefix of CSV columns with the values of placeholders."`

	DryRun     bool   `name:"dry-run" help:"Send no copy. Check every row, the files and variables it names, and what its copy would lack. Reads each template once."`
	Unresolved string `name:"unresolved" enum:"allow,refuse," default:"" placeholder:"HOW" help:"What happens to a row if placeholders get no value: allow makes the copy, refuse does not. Default: as the server is set."`
	KeepGoing  bool   `name:"keep-going" help:"Send the good rows even if others are malformed."`

	Job    string `name:"job" placeholder:"FILE" help:"File that keeps the job. Default: the input's name and .digate-job."`
	NewJob bool   `name:"new-job" help:"Begin a new job even if there is one. Copies that the old job made are made again."`

	Results       string `name:"results" placeholder:"FILE" help:"File for the results, overwritten; - is standard output. Default: standard output, unless it is a terminal."`
	ResultsFormat string `name:"results-format" enum:"ndjson,csv" default:"ndjson" help:"ndjson or csv."`
	Progress      string `name:"progress" enum:"auto,plain,never" default:"auto" help:"auto: on a terminal, one line that is redrawn; plain: a new line now and then; never: nothing."`
	Concurrency   int    `name:"concurrency" default:"16" help:"How many copies may be sent and wait for a response."`
	Reconnects    int    `name:"reconnects" default:"10" help:"How many connections in a row may fail without a response."`

	client.Flags `kong:"embed,set='timeout=0s',set='timeout_help=Time limit for everything; 0 is none.'"`
}

// maxConcurrency bounds --concurrency.
const maxConcurrency = 1000

// interruptGrace is how long copies that are under way may go on after an
// interrupt.
const interruptGrace = 10 * time.Second

// stallTimeout is how long a server that owes responses may send nothing. It is
// longer than the time a server gives a copy.
const stallTimeout = 3 * time.Minute

var (
	errInterrupted = errors.New("interrupted")
	errTimedOut    = errors.New("--timeout has passed")
)

// Help is shown by --help.
func (Command) Help() string {
	return `Each row is a copy. CSV has a header row. An empty cell sets nothing:

  template_id, name, base_url   the template, and what to change in the copy
  var.NAME, var.NAME:json       value of a placeholder, as text or as JSON
  api_key_env, api_key_file     where the credential is: the name of an
                                environment variable, or of a file
  var_env.NAME, var_file.NAME   where a placeholder's value is

NDJSON has one object on each line: template_id, name, base_url, variables, api_key_env, api_key_file, and variables_env and variables_file with names by placeholder. The input may also hold an api_key itself, but secrets are better kept out of it.

A secret is read when its row is sent, and written nowhere. The input decides which files and variables are read: use only input from people you trust.

After any interruption, run the same command again. It finishes the rest and copies nothing twice, even if rows were added or moved. For this it needs the job's file, the same token, and a server that kept its ledger; and it must run before the ledger forgets its records.

A file is checked before anything is sent. The results have for each row: line, request_id, outcome (DONE, REPLAYED, NOT_SENT, REJECTED, UNKNOWN), integration_id, code, reason, message.

Exit codes, the highest that applies to a row:

  0  all rows are done
  1  failed on this side, or the job cannot be resumed
  2  wrong usage, or malformed rows and nothing sent
  3  NOT_SENT: for some rows nothing was done
  4  REJECTED: Diga refused some rows and did nothing for them
  5  UNKNOWN: some rows may have been done; their results say what to do
`
}

// Validate implements kong's hook.
func (c *Command) Validate() error {
	switch {
	case c.Format == "" && formatOf(c.File) == "":
		return errors.New("--format: say csv or ndjson, because the file's name does not")
	case c.VarPrefix == "":
		return errors.New("--var-prefix: must not be empty")
	case c.Concurrency < 1 || c.Concurrency > maxConcurrency:
		return fmt.Errorf("--concurrency: must be between 1 and %d", maxConcurrency)
	case c.Reconnects < 0:
		return errors.New("--reconnects: must not be negative")
	case c.Timeout < 0:
		return errors.New("--timeout: must not be negative")
	case c.isInput(c.Results):
		return errors.New("--results: is the input")
	case c.isInput(c.Job):
		return errors.New("--job: is the input")
	}
	return nil
}

func (c *Command) isInput(path string) bool {
	return path != "" && path != "-" && (path == c.File || file.Same(path, c.File))
}

func (c *Command) input(stdin io.Reader) (*input, error) {
	contract, err := compileContract()
	if err != nil {
		return nil, err
	}
	format := c.Format
	if format == "" {
		format = formatOf(c.File)
	}
	return &input{path: c.File, stdin: stdin, format: format, template: c.Template, varPrefix: c.VarPrefix, contract: contract, unresolved: client.Unresolved(c.Unresolved)}, nil
}

// Run sends the input. With --dry-run it only checks it.
func (c *Command) Run(ctx context.Context, std term.IO) error {
	err := c.run(ctx, std)
	if errors.As(err, new(*malformedError)) {
		return client.WrongUsage(std.Err, err)
	}
	return err
}

func (c *Command) run(ctx context.Context, std term.IO) error {
	in, err := c.input(std.In)
	if err != nil {
		return err
	}
	if c.DryRun {
		return c.dryRun(ctx, in, std)
	}
	path, err := c.jobPath(in.regular())
	if err == nil && c.Results != "" && c.Results != "-" && file.SamePath(c.Results, path) {
		err = errors.New("--results: is the file of the job")
	}
	if err != nil {
		return client.WrongUsage(std.Err, err)
	}
	p := c.newProgress(std.Err)
	if in.regular() {
		if p.counts.total, err = c.firstPass(ctx, in, std.Err); err != nil {
			return err
		}
	}
	conn, err := connect(ctx, c.Flags)
	if err != nil {
		return notConnected(std.Err, err)
	}
	defer conn.close()
	j, err := c.openJob(path, conn, p)
	if err != nil {
		return err
	}
	write, closeResults, err := c.openResults(std.Out)
	if err != nil {
		return err
	}
	run := &runner{
		connect: func(ctx context.Context) (*connection, error) { return connect(ctx, c.Flags) }, job: j, contract: in.contract, conn: conn, pending: make(map[string]*item),
		window: c.Concurrency, reconnects: c.Reconnects, grace: interruptGrace, stall: stallTimeout, now: time.Now,
		report: &report{progress: p, write: write, look: c.look},
	}
	begun := time.Now()
	why, err := run.all(ctx, c.Timeout, in, in.regular())
	fmt.Fprintln(std.Err, run.report.summary(time.Since(begun)))
	return errors.Join(c.conclude(std.Err, run.report, path, why, err), closeResults())
}

// notConnected reports why there is no server to send to.
func notConnected(w io.Writer, err error) error {
	if _, isStatus := status.FromError(err); isStatus || errors.As(err, new(*client.UnreachableError)) {
		return client.Fail(w, "text", client.Reads, err)
	}
	return err
}

// conclude writes how to go on, and returns the error that ends the process. why
// ended the run early, err ended the reading of the input; both may be nil.
func (c *Command) conclude(w io.Writer, rep *report, jobPath string, why, err error) error {
	if why != nil && why != errInterrupted && rep.broke == nil {
		term.Complain(w, why)
	}
	if rep.worst == client.ExitDone && why == nil && err == nil {
		return nil
	}
	same := ""
	if c.File == "-" {
		same = " (with the same input)"
	}
	advice := "To go on with the rows that are not done"
	if c := rep.current(); why == nil && err == nil && c.failed() == rep.unsettled {
		advice = fmt.Sprintf("In doubt: %s. Another run does not send such a row again.\nFirst find out what became of it, as its result says. Then, to go on", rowCount(c.failed()))
	}
	fmt.Fprintf(w, "%s%s:\n  %s\n", advice, same, term.Printable(c.again(jobPath)))
	switch {
	case rep.broke != nil:
		return rep.broke
	case err != nil:
		return err
	case rep.worst == client.ExitDone: // for the rows that were read, but not all were
		return client.ExitError(client.ExitNotSent)
	}
	return client.ExitError(rep.worst)
}
