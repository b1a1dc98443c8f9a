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
	"github.com/digate/digate/server/apierror"
)

// Command is the bulk command.
type Command struct {
	File      string `arg:"" name:"file" help:"CSV or NDJSON file; - is standard input."`
	Format    string `name:"format" enum:"csv,ndjson," default:"" placeholder:"FORMAT" help:"csv or ndjson. Without it, the end of the file's name decides (.csv, .ndjson, .jsonl)."`
	Template  string `name:"template" placeholder:"ID" help:"Template for rows without a template_id."`
	VarPrefix string `name:"var-prefix" default:"var." help:"Prefix of CSV columns with the values of placeholders."`

	DryRun     bool   `name:"dry-run" help:"Send no copy. Check every row, the files and variables it names, and what its copy would lack. Reads each template once."`
	Unresolved string `name:"unresolved" enum:"allow,refuse," default:"" placeholder:"HOW" help:"What happens to a row if placeholders get no value: allow makes the copy, refuse does not. Default: as the server is set."`
	Unfinished string `name:"unfinished" enum:"allow,refuse" default:"refuse" help:"Copies that would still need setup, because a key or the value of a placeholder is missing: refuse sends nothing if there are any, allow makes them."`
	KeepGoing  bool   `name:"keep-going" help:"Send the good rows even if others are malformed or their copies would be unfinished."`

	Job     string `name:"job" placeholder:"FILE" help:"File that keeps the job. Default: the input's name and .digate-job."`
	NewJob  bool   `name:"new-job" help:"Begin a new job even if there is one. Rows that the old job made are at Diga already: --existing says what happens to them. The old job's file and results are kept under other names."`
	Changed string `name:"changed" enum:"copy,skip," default:"" placeholder:"HOW" help:"What happens to rows that were made and then changed: skip leaves what was made as it is, copy makes each of them again, and if no row changed since, those that an earlier run skipped. Without it, nothing is sent if there are any."`

	Existing string `name:"existing" enum:"copy,skip," default:"" placeholder:"HOW" help:"What happens to new rows if Diga has an integration of their name and template already, which the job did not make: skip leaves it as it is, copy makes another. Without it, nothing is sent if there are any."`

	Settle bool `name:"settle" help:"Send nothing. Show the rows in doubt with what Diga may have made of them, and ask which it was."`
	Yes    bool `name:"yes" short:"y" help:"With --settle: settle the rows that match by name and time without asking, and leave the others."`

	Results       string `name:"results" placeholder:"FILE" help:"File for the results, replaced when the run ends; - is standard output. Default: beside the input, such as shops.results.csv for shops.csv; standard output if the input is standard input."`
	ResultsFormat string `name:"results-format" enum:"ndjson,csv," default:"" placeholder:"FORMAT" help:"ndjson or csv. Default: as the name of the results ends, else ndjson."`
	Progress      string `name:"progress" enum:"auto,plain,never" default:"auto" help:"auto: on a terminal, one line that is redrawn; plain: a new line now and then; never: nothing."`
	Concurrency   int    `name:"concurrency" default:"16" help:"How many copies may be sent and wait for a response."`
	Reconnects    int    `name:"reconnects" default:"10" help:"How many connections in a row may fail without a response."`

	client.Flags `kong:"embed,set='timeout=0s',set='timeout_help=Time limit for everything; 0 is none.'"`
}

// unfinishedAllow is a value of --unfinished.
const unfinishedAllow = "allow"

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
  key                           tells the row from others, whatever changes
  var.NAME, var.NAME:json       value of a placeholder, as text or as JSON
  api_key_env, api_key_file     where the credential is: the name of an
                                environment variable, or of a file
  var_env.NAME, var_file.NAME   where a placeholder's value is

NDJSON has one object on each line: template_id, key, name, base_url, variables, api_key_env, api_key_file, and variables_env and variables_file with names by placeholder. The input may also hold an api_key itself, but secrets are better kept out of it.

A secret is read when its row is sent, and written nowhere. The input decides which files and variables are read: use only input from people you trust.

After any interruption, run the same command again. It finishes the rest and copies nothing twice, even if rows were added, moved or changed: it asks what to do with rows that were made and then changed (--changed). It also asks about rows that are new to the job and are at Diga already, by name and template (--existing). For this it needs the job's file, the same token, and a server that kept its ledger. Rows that may have been sent before the ledger forgot them are in doubt.

A row is in doubt if it was sent and nobody knows whether its copy was made. It is not sent again before somebody settles it: --settle asks.

A file is checked before anything is sent, and so is what its copies would lack: a run sends nothing if copies would need setup, or if there is no such template.

The results say of each row what became of it: made, made by an earlier run, there already, not made, refused by Diga, or in doubt. Beside that are its key, name and line, the new integration_id, what is missing there and has to be set up, a message, its request_id in the ledger, and a reason. NDJSON results, for scripts, have an outcome and a code in place of the words.

Exit codes, the highest that applies to a row:

  0  all rows are made
  1  failed on this side, or the job cannot be resumed
  2  wrong usage, or malformed rows and nothing sent
  3  some rows are not made, and were not sent to Diga
  4  Diga refused some rows, and made nothing of them
  5  some rows are in doubt: their results say what to do
`
}

// Validate implements kong's hook.
func (c *Command) Validate() error {
	switch {
	case c.File == "": // which the parser tells
		return nil
	case c.File != "-" && file.IsDirectory(c.File):
		return fmt.Errorf("%s is a directory", term.Printable(c.File))
	case c.Format == "" && formatOf(c.File) == "" && c.File != "-" && !file.Exists(c.File):
		return fmt.Errorf("there is no file %s", term.Printable(c.File))
	case c.Format == "" && workbookName(c.File) != "":
		return errors.New(saveAsCSV(c.File, workbookName(c.File)))
	case c.Format == "" && formatOf(c.File) == "":
		return errors.New("--format: say csv or ndjson, because the file's name does not")
	case c.File == "-" && c.TokenFile == "-":
		return errors.New("--token-file: standard input, which is -, is the input already")
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

func (c *Command) input(std term.IO) (*input, error) {
	contract, err := compileContract()
	if err != nil {
		return nil, err
	}
	format := c.Format
	if format == "" {
		format = formatOf(c.File)
	}
	return &input{path: c.File, std: std, format: format, template: c.Template, varPrefix: c.VarPrefix, contract: contract, unresolved: client.Unresolved(c.Unresolved)}, nil
}

// Run sends the input. With --dry-run it only checks it.
func (c *Command) Run(ctx context.Context, std term.IO) error {
	err := c.run(ctx, std)
	if err != nil && client.Interrupted(ctx) {
		_ = client.ExitCode(std.Err, err) // writes it
		return client.ExitError(client.ExitInterrupted)
	}
	switch {
	case errors.As(err, new(*malformedError)):
		return client.WrongUsage(std.Err, err)
	case errors.Is(err, errChanged), errors.Is(err, errExisting):
		return client.ExitError(client.ExitNotSent)
	case errors.Is(err, errNothingSent):
		term.Complain(std.Err, err)
		return client.ExitError(client.ExitNotSent)
	}
	return err
}

func (c *Command) run(ctx context.Context, std term.IO) (err error) {
	ignoreBrokenPipe()
	in, err := c.input(std)
	if err != nil {
		return err
	}
	if err := c.ReadToken(ctx, std); err != nil {
		return err
	}
	begun := time.Now()
	if c.DryRun {
		return c.beforeSending(ctx, begun, func(ctx context.Context) error { return c.dryRun(ctx, in, std) })
	}
	path, err := c.jobPath(in.regular())
	if err == nil && c.Results != "" && c.Results != "-" && file.SamePath(c.Results, path) {
		err = errors.New("--results: is the file of the job")
	}
	if err != nil {
		return client.WrongUsage(std.Err, err)
	}
	if c.Settle {
		return c.settle(ctx, path, std)
	}
	p := c.newProgress(std)
	j, err := c.openJob(path, in, p.say)
	if err != nil {
		return err
	}
	defer func() { _ = j.close() }() // the ledger knows what could not be written
	if j.file != nil && !in.regular() {
		if err := c.beforeSending(ctx, begun, in.spool); err != nil {
			return err
		}
	}
	if in.again() {
		if err := c.beforeSending(ctx, begun, func(ctx context.Context) error { return c.readInput(ctx, in, j, p) }); err != nil {
			return err
		}
	}
	return c.send(ctx, begun, in, j, p, std)
}

// readInput checks the input, and lets the job see its rows, and rows that it lost or that
// other jobs made.
func (c *Command) readInput(ctx context.Context, in *input, j *job, p *progress) (err error) {
	if p.counts.total, err = c.firstPass(ctx, in, j, p); err != nil {
		return err
	}
	if err := c.recover(j, p.say); err != nil {
		return err
	}
	return c.lookElsewhere(ctx, in, j)
}

// nothingToSend says why no row of an input is sent.
func nothingToSend(rows int) string {
	if rows == 0 {
		return "there are no rows; nothing is sent"
	}
	return "every row is made already; nothing is sent"
}

// send sends the rows that are not made, and reports what became of all. The time
// limit counts from when the command was begun.
func (c *Command) send(ctx context.Context, begun time.Time, in *input, j *job, p *progress, std term.IO) (err error) {
	run := &runner{
		connect: func(ctx context.Context) (*connection, error) { return connect(ctx, c.Flags) }, job: j, contract: in.contract, pending: make(map[string]*item),
		planned: true, window: c.Concurrency, reconnects: c.Reconnects, grace: interruptGrace, stall: stallTimeout, now: time.Now,
	}
	defer run.disconnect()
	if !in.again() || !j.allMade(p.counts.total) || c.copiesSkipped(j) {
		if err := c.beforeSending(ctx, begun, func(ctx context.Context) error { return c.prepare(ctx, in, j, p, run) }); err != nil {
			return notConnected(std.Err, err)
		}
	} else {
		if err := j.plan(j.promise, nil, nil); err != nil { // keys that rows got since
			return err
		}
		p.say(nothingToSend(p.counts.total))
	}
	results, err := c.openResults(std.Out, in, j)
	if err != nil {
		return err
	}
	run.report = &report{progress: p, results: results, look: c.look}
	if run.arriving != nil {
		l := &link{flags: c.Flags}
		defer l.close()
		run.arriving.templates = c.templates(l.dial, p.say)
	}
	prepared := time.Now()
	why, err := run.all(ctx, c.left(begun), in, in.again())
	if end := results.end(); run.report.broke == nil {
		run.report.broke = end
	}
	if run.arriving != nil && run.rows == nil { // all of them arrived
		p.showFindings(&run.arriving.found, maxShownRows)
		p.showTwins(&run.arriving.same)
		run.arriving.inventory.tell(p.say)
	}
	fmt.Fprintln(std.Err, run.report.summary(time.Since(prepared)))
	if path := results.where(); path != "" && run.report.broke == nil {
		fmt.Fprintf(std.Err, "results: %s\n", term.Printable(path))
	}
	return c.conclude(std.Err, run.report, j.path, why, err)
}

// prepare does what must be done before the first row is sent: it connects, keeps
// the job, finds changed rows and what copies would lack, and puts into the job's
// file what is about to be sent.
func (c *Command) prepare(ctx context.Context, in *input, j *job, p *progress, run *runner) (err error) {
	if run.conn, err = connect(ctx, c.Flags); err != nil {
		return err
	}
	if run.promise, err = c.promised(j, run.conn); err != nil {
		return err
	}
	if !in.again() {
		return c.prepareOnce(ctx, in, j, p, run)
	}
	if err := j.mustBeRemembered(ctx, run.conn); err != nil {
		return err
	}
	further, err := c.compare(ctx, j, run.conn, run.promise, p)
	if err != nil {
		return err
	}
	var inv *inventory
	if j.knowsRows() && j.fresh() {
		if inv, err = c.takeInventory(ctx, j, run.conn, p); err != nil {
			return err
		}
	}
	var there []thereRow
	if run.lacking, there, err = c.preview(ctx, in, j, run.conn, p, inv); err != nil {
		return err
	}
	if there, err = j.notMadeByItself(ctx, run.conn, there); err != nil {
		return err
	}
	left, err := c.leaveExisting(p.w, there)
	if err != nil {
		return err
	}
	for _, line := range left {
		j.take(line)
	}
	inv.tell(p.say)
	if err := c.keep(in, j, run.conn, run.promise, p); err != nil {
		return err
	}
	return j.plan(run.promise, j.toSend(run.lacking), append(further, left...))
}

// prepareOnce does what can be done of prepare for an input that is read only once:
// its rows are compared with templates and with what Diga has as they arrive, and not
// with what other jobs made.
func (c *Command) prepareOnce(ctx context.Context, in *input, j *job, p *progress, run *runner) error {
	inv, err := c.takeInventory(ctx, j, run.conn, p)
	if err != nil {
		return err
	}
	if err := c.keep(in, j, run.conn, run.promise, p); err != nil {
		return err
	}
	run.arriving = &arriving{command: c, job: j, promise: run.promise, contract: in.contract, inventory: inv}
	return nil
}

// notConnected reports why there is no server to send to. Its exit code is that of a
// call that only reads.
func notConnected(w io.Writer, err error) error {
	var unreachable *client.UnreachableError
	_, isStatus := status.FromError(err)
	switch {
	case errors.As(err, &unreachable):
		said := fmt.Errorf("nothing was sent:\n%w", err)
		if advice := unreachable.Advice(); advice != "" {
			said = fmt.Errorf("%w\n%s", said, advice)
		}
		term.Complain(w, said)
	case isStatus:
		term.Complain(w, fmt.Errorf("nothing was sent: %s", whatFailed(apierror.FromError(err))))
	default:
		return err
	}
	return client.Fail(io.Discard, "text", client.Reads, err)
}
