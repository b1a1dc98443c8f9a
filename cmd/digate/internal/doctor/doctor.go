// Package doctor checks the settings of serve and the connection to Diga.
package doctor

import (
	"context"
	"errors"
	"time"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/term"
	"github.com/digate/digate/server/config"
)

// unchecked has the settings of serve without their validation hook. A setting
// that is not valid would end the command before it reports; the report has the
// validation as its first check.
type unchecked config.Config

// Command takes the settings of serve, and so checks what serve would use.
type Command struct {
	Settings unchecked `embed:""`

	TokenFile string        `name:"token-file" group:"Examination:" type:"path" placeholder:"FILE" help:"File with a caller's bearer token; - is standard input, and a terminal asks for it. Without it, the token is taken from DIGATE_TOKEN. Not used with --accounts-file."`
	Timeout   time.Duration `name:"timeout" group:"Examination:" default:"30s" help:"Time limit for all checks together."`
	Output    string        `name:"output" group:"Examination:" short:"o" enum:"text,json" default:"text" help:"text, one line for each check, or json."`
}

// Validate implements kong's hook.
func (c *Command) Validate() error {
	if c.Timeout <= 0 {
		return errors.New("--timeout: must be more than 0")
	}
	return nil
}

// Help is shown by --help.
func (Command) Help() string {
	return `Nothing is changed: doctor sends a few GET requests and no others, undoes what it
writes to the ledger, and closes the listeners that it opens.
Give it the settings of serve, and it checks what serve would use: with
--accounts-file the tokens of all accounts, else the token of a caller.

Exit codes:

  0  no check failed; there may be warnings
  1  a check failed
  2  wrong usage
`
}

// Examine makes the checks in order and writes each result as soon as it is
// known. version goes into the User-Agent.
func (c *Command) Examine(ctx context.Context, std term.IO, version string) error {
	e := &examination{cfg: config.Config(c.Settings), tokenFile: c.TokenFile, version: version}
	if c.Settings.AccountsFile == "" { // the token is asked for before any time runs
		if e.token, e.noToken = client.Token(ctx, std, c.TokenFile); ctx.Err() != nil {
			return e.noToken
		}
	}
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	if c.Output != client.OutputJSON {
		e.tell = func(f finding) error { return f.writeText(std.Out) }
	}
	e.run(ctx)
	if c.Output == client.OutputJSON {
		e.err = e.writeJSON(std.Out)
	}
	switch {
	case e.err != nil:
		return e.err
	case e.anyFailed():
		return client.ExitError(client.ExitFailed)
	default:
		return nil
	}
}
