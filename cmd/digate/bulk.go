package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
)

type bulkCmd struct {
	File      string `arg:"" name:"file" help:"CSV or NDJSON file; - is standard input."`
	Format    string `name:"format" enum:"csv,ndjson," default:"" placeholder:"FORMAT" help:"csv or ndjson; else what the name ends with (.csv, .ndjson, .jsonl)."`
	Template  string `name:"template" placeholder:"ID" help:"Template of rows that name none."`
	VarPrefix string `name:"var-prefix" default:"var." help:"What the name of a CSV column with a placeholder's value begins with."`

	DryRun    bool `name:"dry-run" help:"Send nothing: check every row, and that what it refers to is there."`
	KeepGoing bool `name:"keep-going" help:"Send the good rows though others are malformed."`

	Job    string `name:"job" placeholder:"FILE" help:"File that the job is kept in; else the input's name with .digate-job behind it."`
	NewJob bool   `name:"new-job" help:"Begin anew, though there is a job: what it made is made again."`

	Results       string `name:"results" placeholder:"FILE" help:"File for the results, overwritten; - is standard output, and the default where that is no terminal."`
	ResultsFormat string `name:"results-format" enum:"ndjson,csv" default:"ndjson" help:"ndjson or csv."`
	Progress      string `name:"progress" enum:"auto,plain,never" default:"auto" help:"auto: one line that is redrawn, on a terminal; plain: a line now and then; or never."`
	Concurrency   int    `name:"concurrency" default:"16" help:"Copies that are sent and not answered yet, at most."`
	Reconnects    int    `name:"reconnects" default:"10" help:"Connections in a row that may fail without an answer."`

	clientFlags `kong:"embed,set='timeout=0s',set='timeout_help=Time for everything; 0 is no bound.'"`
}

// maxConcurrency bounds --concurrency.
const maxConcurrency = 1000

// interruptGrace is how long what is under way has when nothing new is begun.
const interruptGrace = 10 * time.Second

// bulkStall is how long a server that owes answers may say nothing: longer than
// one gives a copy.
const bulkStall = 3 * time.Minute

var (
	errInterrupted = errors.New("interrupted")
	errTimedOut    = errors.New("--timeout has passed")
)

// Help is shown by --help.
func (bulkCmd) Help() string {
	return `A row is a copy. CSV has a header row; an empty cell is none:

  template_id, name, base_url   what is copied, and what is changed
  var.NAME, var.NAME:json       a placeholder's value, as text or as JSON
  api_key_env, api_key_file     where the credential is: a variable of the
                                environment, or a file
  var_env.NAME, var_file.NAME   where a placeholder's value is

NDJSON has an object a line: template_id, name, base_url, variables, api_key_env, api_key_file, and variables_env and variables_file with names by placeholder. An api_key may stand in the input, but had better not.

What a row refers to is read when it is sent, and written nowhere. Whoever writes the input chooses the files and variables: take it from people you trust.

Run again after any interruption, the same command finishes the rest and copies nothing twice, also when rows were added or moved. It needs the job's file, the same token, and a server that kept its ledger, within the time that the ledger keeps records.

A file is checked before anything is sent. The results have for each row: line, request_id, outcome (DONE, REPLAYED, NOT_SENT, REJECTED, UNKNOWN), integration_id, code, reason, message.

Exit codes, the highest that a row calls for:

  0  all done
  1  failed on this side, or the job cannot be resumed
  2  wrong usage, or malformed rows and nothing sent
  3  NOT_SENT: of some rows nothing was done
  4  REJECTED: Diga answered some and did not do it
  5  UNKNOWN: some may have been done; run it again, or settle them
`
}

// Validate implements kong's hook.
func (c *bulkCmd) Validate() error {
	switch {
	case c.Format == "" && formatOf(c.File) == "":
		return errors.New("--format: csv or ndjson? The name does not say")
	case c.VarPrefix == "":
		return errors.New("--var-prefix: must not be empty")
	case c.Concurrency < 1 || c.Concurrency > maxConcurrency:
		return fmt.Errorf("--concurrency: must be between 1 and %d", maxConcurrency)
	case c.Reconnects < 0:
		return errors.New("--reconnects: must not be negative")
	case c.Timeout < 0:
		return errors.New("--timeout: must not be negative")
	case c.sameFile(c.Results):
		return errors.New("--results: is the input")
	case c.sameFile(c.Job):
		return errors.New("--job: is the input")
	}
	return nil
}

func (c *bulkCmd) sameFile(path string) bool {
	return path != "" && path != "-" && (path == c.File || sameFile(path, c.File))
}

func (c *bulkCmd) input(in io.Reader) (*bulkInput, error) {
	contract, err := compileContract()
	if err != nil {
		return nil, err
	}
	format := c.Format
	if format == "" {
		format = formatOf(c.File)
	}
	return &bulkInput{path: c.File, in: in, format: format, template: c.Template, varPrefix: c.VarPrefix, contract: contract}, nil
}

// Run sends the input, or with --dry-run checks it.
func (c *bulkCmd) Run(ctx context.Context, std stdio) error {
	err := c.run(ctx, std)
	if errors.As(err, new(*malformedError)) {
		complain(std.err, err)
		return exitError(exitUsage)
	}
	return err
}

func (c *bulkCmd) run(ctx context.Context, std stdio) error {
	input, err := c.input(std.in)
	if err != nil {
		return err
	}
	if c.DryRun {
		return dryRun(ctx, input, std)
	}
	regular := input.regular()
	path, err := c.jobPath(regular)
	if err == nil && c.Results != "" && c.Results != "-" && samePath(c.Results, path) {
		err = errors.New("--results: is the file of the job")
	}
	if err != nil {
		complain(std.err, err)
		return exitError(exitUsage)
	}
	p := c.newProgress(std.err)
	if regular {
		if p.counts.total, err = c.firstPass(ctx, input, std.err); err != nil {
			return err
		}
	}
	link, err := openBulkLink(ctx, c.clientFlags)
	if err != nil {
		return notLinked(std.err, err)
	}
	defer func() { link.close() }()
	job, err := c.job(path, link, p)
	if err != nil {
		return err
	}
	write, closeResults, err := c.results(std.out)
	if err != nil {
		return err
	}
	run := &bulkRun{
		flags: c.clientFlags, job: job, contract: input.contract, link: link, pending: make(map[string]*bulkItem),
		window: c.Concurrency, reconnects: c.Reconnects, grace: interruptGrace, stall: bulkStall,
		report: &bulkReport{progress: p, write: write, look: c.look},
	}
	begun := time.Now()
	why, err := run.all(ctx, c.Timeout, input, regular)
	fmt.Fprintln(std.err, run.report.summary(time.Since(begun)))
	return errors.Join(c.conclude(std.err, run.report, path, why, err), closeResults())
}

// notLinked says why there is no server to send to.
func notLinked(w io.Writer, err error) error {
	if errors.As(err, new(*unreachableError)) || isStatus(err) {
		return fail(w, "text", reads, err)
	}
	return err
}

// jobPath is where the job is kept.
func (c *bulkCmd) jobPath(regular bool) (string, error) {
	switch {
	case c.Job != "":
		return c.Job, nil
	case isDirectory(c.File):
		return "", fmt.Errorf("%s is a directory", c.File)
	case !regular:
		return "", errors.New("--job: name a file to keep the job in, so that it can be resumed; the input is no file to keep it beside")
	}
	return c.File + jobSuffix, nil
}

// job returns the job to go on with, or a new one, which is kept before anything
// is sent.
func (c *bulkCmd) job(path string, link *bulkLink, p *progress) (*bulkJob, error) {
	if c.NewJob {
		if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
			return nil, err
		}
	}
	job, err := readBulkJob(path)
	if err != nil {
		return nil, err
	}
	if job == nil {
		job = newBulkJob(c.File, c.Addr, link.ledger)
		if err := job.write(path); err != nil {
			return nil, err
		}
		p.say(fmt.Sprintf("job %s, kept in %s; it can be resumed until %s", job.ID, printable(path), stamp(job.until())))
		if !link.ledger.GetDurable() {
			p.say("The server keeps its ledger in memory: if it is restarted, the job cannot be resumed.")
		}
		return job, nil
	}
	if err := job.resumable(link.ledger); err != nil {
		return nil, err
	}
	p.say(fmt.Sprintf("job %s, begun at %s, goes on; it can be resumed until %s", job.ID, stamp(job.Created), stamp(job.until())))
	return job, nil
}

func (c *bulkCmd) newProgress(w io.Writer) *progress {
	columns := func() int { return 0 }
	if c.Progress == "auto" {
		columns = func() int { return terminalColumns(w) }
	}
	return &progress{w: w, columns: columns, silent: c.Progress == "never"}
}

// results opens what the results go to.
func (c *bulkCmd) results(out io.Writer) (resultWriter, func() error, error) {
	done := func() error { return nil }
	switch {
	case c.Results == "" && terminalColumns(out) > 0:
		return discardResults, done, nil
	case c.Results != "" && c.Results != "-":
		f, err := os.OpenFile(c.Results, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
		if err != nil {
			return nil, nil, fmt.Errorf("--results: %w", err)
		}
		out, done = f, f.Close
	}
	if c.ResultsFormat == "csv" {
		return csvResults(out), done, nil
	}
	return ndjsonResults(out), done, nil
}

// conclude says how to go on, and returns what the process ends with. why is
// what ended the run before its end, err what ended the reading of the input.
func (c *bulkCmd) conclude(w io.Writer, report *bulkReport, job string, why, err error) error {
	if why != nil && why != errInterrupted && report.broke == nil {
		complain(w, why)
	}
	if report.worst == exitDone && why == nil && err == nil {
		return nil
	}
	same := ""
	if c.File == "-" {
		same = " (with the same input again)"
	}
	fmt.Fprintf(w, "To go on with what is not done%s:\n  %s\n", same, printable(c.again(job)))
	switch {
	case report.broke != nil:
		return report.broke
	case err != nil:
		return err
	case report.worst == exitDone: // of the rows that were read
		return exitError(exitNotSent)
	}
	return exitError(report.worst)
}

// again is the command that goes on with the job.
func (c *bulkCmd) again(job string) string {
	file := c.File
	if strings.HasPrefix(file, "-") && file != "-" {
		file = "./" + file
	}
	words := []string{"bulk", file}
	flag := func(name, value, otherwise string) {
		if value != otherwise {
			words = append(words, "--"+name, value)
		}
	}
	flag("format", c.Format, "")
	flag("template", c.Template, "")
	flag("var-prefix", c.VarPrefix, "var.")
	if c.KeepGoing {
		words = append(words, "--keep-going")
	}
	flag("job", job, c.File+jobSuffix)
	flag("results", c.Results, "")
	flag("results-format", c.ResultsFormat, "ndjson")
	flag("progress", c.Progress, "auto")
	flag("concurrency", strconv.Itoa(c.Concurrency), "16")
	flag("reconnects", strconv.Itoa(c.Reconnects), "10")
	flag("timeout", c.Timeout.String(), "0s")
	return shellLine(append(words, c.words()...))
}

// look is the command that shows a copy in doubt.
func (c *bulkCmd) look(requestID string) string {
	return shellLine(append([]string{"ledger", "show", requestID}, c.words()...))
}

// shellLine is a command line of this program for a shell.
func shellLine(words []string) string {
	line := self()
	for _, word := range words {
		line += " " + shellWord(word)
	}
	return line
}
