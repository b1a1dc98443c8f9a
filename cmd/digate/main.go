// Command digate is a gRPC facade over Diga's integration API, and its tools:
// a server, a stand-in for the vendor, and a client.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal ends the process at once.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], stdio{os.Stdin, os.Stdout, os.Stderr}))
}

// stdio is what a command reads from and writes to.
type stdio struct {
	in       io.Reader
	out, err io.Writer
}

// The exit codes. Those of a failed call say what may be concluded, so that a
// script can tell whether it may try again.
const (
	exitDone     = 0
	exitFailed   = 1
	exitUsage    = 2
	exitNotSent  = 3
	exitRejected = 4
	exitUnknown  = 5
)

const exitHelp = `Exit codes: 0 done; 1 failed before or after the call itself; 2 wrong usage; ` +
	`3 NOT_SENT, nothing was done; 4 REJECTED, Diga did not do it; 5 UNKNOWN, it may have been done.`

// cli is every command with its flags.
type cli struct {
	ConfigFile configFile `name:"config" type:"existingfile" placeholder:"FILE" help:"YAML file of settings, by their flags' names. Flags come first, then the environment, then the file."`

	Dev      devCmd      `cmd:"" help:"Run everything on loopback, with an embedded stand-in for Diga. Needs nothing."`
	Serve    serveCmd    `cmd:"" help:"Run the facade in front of Diga."`
	Emulator emulatorCmd `cmd:"" help:"Run the stand-in for Diga alone."`
	Copy     copyCmd     `cmd:"" help:"Create an integration from a template, through a running digate."`
	Version  versionCmd  `cmd:"" help:"Print the version."`
}

// exitError ends the process with a code of its own; what there was to say has
// been said.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// run executes a command line and returns its exit code.
func run(ctx context.Context, args []string, std stdio) int {
	exited := -1
	parser, err := kong.New(&cli{},
		kong.Name("digate"),
		kong.Description("A typed gRPC contract, and the same REST, in front of Diga's integration API.\n\n"+
			"Every flag --foo-bar is also the environment variable DIGATE_FOO_BAR."),
		kong.DefaultEnvars("DIGATE"),
		kong.Vars{"exits": exitHelp, "faults": faultHelp()},
		kong.Writers(std.out, std.err),
		kong.Exit(func(code int) { exited = code }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(std),
	)
	if err != nil {
		fmt.Fprintln(std.err, "digate:", err)
		return exitFailed
	}
	parsed, err := parser.Parse(args)
	if exited >= 0 { // --help has been answered
		return exited
	}
	if err != nil {
		fmt.Fprintf(std.err, "digate: %v\nTry: digate --help\n", err)
		return exitUsage
	}
	err = parsed.Run()
	var code exitError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &code):
		return int(code)
	default:
		fmt.Fprintln(std.err, "digate:", err)
		return exitFailed
	}
}
