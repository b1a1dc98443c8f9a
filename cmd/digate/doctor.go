package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/digate/digate/server/config"
)

// unchecked are serve's settings without their hook, which would end a command
// line before there is a report: their validation is a check of its own.
type unchecked config.Config

// doctorCmd takes what serve takes, so that it looks at what serve would use.
type doctorCmd struct {
	Settings unchecked `embed:""`

	TokenFile string        `name:"token-file" group:"Examination:" type:"path" placeholder:"FILE" help:"File with a caller's bearer token. Without it the token is what DIGATE_TOKEN holds."`
	Timeout   time.Duration `name:"timeout" group:"Examination:" default:"30s" help:"Time for everything."`
	Output    string        `name:"output" group:"Examination:" short:"o" enum:"text,json" default:"text" help:"text, a line a check, or json."`
}

// Validate implements kong's hook.
func (c *doctorCmd) Validate() error {
	if c.Timeout <= 0 {
		return errors.New("--timeout: must be more than 0")
	}
	return nil
}

// Help is shown by --help.
func (doctorCmd) Help() string {
	return `Nothing is changed: the requests are GETs of what there is, a few at most.
With serve's own settings it looks at what serve would use.

Exit codes:

  0  all is well, warnings included
  1  a check failed
  2  wrong usage
`
}

// Run makes the checks in order, each shown once it is made.
func (c *doctorCmd) Run(ctx context.Context, std stdio) error {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	d := &doctor{cfg: config.Config(c.Settings), tokenFile: c.TokenFile, failed: make(map[string]string)}
	if c.Output != outputJSON {
		d.tell = func(f finding) error { return f.writeText(std.out) }
	}
	d.examine(ctx)
	if c.Output == outputJSON {
		d.err = d.writeJSON(std.out)
	}
	switch {
	case d.err != nil:
		return d.err
	case d.anyFailed():
		return exitError(exitFailed)
	default:
		return nil
	}
}

// What a check can come to.
const (
	resultOK      = "ok"
	resultWarn    = "warn"
	resultFail    = "FAIL"
	resultSkipped = "skipped"
)

// finding is what a check came to.
type finding struct {
	Check  string `json:"check"`
	Result string `json:"result"`
	Found  string `json:"found"`
	// Advice is what to do about a failure or a warning.
	Advice string `json:"advice,omitempty"`
}

func ok(format string, args ...any) finding {
	return finding{Result: resultOK, Found: fmt.Sprintf(format, args...)}
}

func skipped(why string) finding { return finding{Result: resultSkipped, Found: why} }

func warn(found, advice string) finding {
	return finding{Result: resultWarn, Found: found, Advice: advice}
}

func failed(found, advice string) finding {
	return finding{Result: resultFail, Found: found, Advice: advice}
}

func (f finding) writeText(w io.Writer) error {
	line := fmt.Sprintf("%-7s  %-13s  %s", f.Result, f.Check, f.Found)
	if f.Advice != "" {
		line += " -> " + f.Advice
	}
	_, err := fmt.Fprintln(w, printable(oneLine.Replace(line)))
	return err
}

// doctor makes checks and keeps what they came to.
type doctor struct {
	cfg       config.Config
	tokenFile string
	findings  []finding
	failed    map[string]string // by check that cannot be built on, the failure behind it
	tell      func(finding) error
	err       error // the first of tell
}

// check makes a check, or skips it where one that it needs failed.
func (d *doctor) check(name string, needs []string, f func() finding) {
	var out finding
	for _, need := range needs {
		if cause := d.failed[need]; cause != "" {
			out = skipped("since " + cause + " failed")
			d.failed[name] = cause
			break
		}
	}
	if out.Result == "" {
		if out = f(); out.Result == resultFail {
			d.failed[name] = name
		}
	}
	out.Check = name
	d.findings = append(d.findings, out)
	if d.tell != nil && d.err == nil {
		d.err = d.tell(out)
	}
}

func (d *doctor) anyFailed() bool { return len(d.failed) > 0 }

func (d *doctor) writeJSON(w io.Writer) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	report := struct {
		OK     bool      `json:"ok"`
		Checks []finding `json:"checks"`
	}{!d.anyFailed(), d.findings}
	if err := enc.Encode(report); err != nil {
		return err
	}
	_, err := io.WriteString(w, printableJSON(b.Bytes()))
	return err
}
