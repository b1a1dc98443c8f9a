package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/alecthomas/kong"

	"github.com/digate/digate/cmd/digate/internal/bulk"
	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/complete"
	"github.com/digate/digate/cmd/digate/internal/term"
)

// cli has all commands with their flags.
type cli struct {
	ConfigFile configFile `name:"config" placeholder:"FILE" help:"YAML file of settings, by flag name. A flag comes first, then the environment (--log-level is DIGATE_LOG_LEVEL), then the file."`

	HelpAll     helpAllFlag `name:"help-all" help:"Show all flags of the command. --help shows those most needed."`
	VersionFlag versionFlag `name:"version" help:"Print the version."`

	Dev          devCmd           `cmd:"" help:"Run everything on loopback, with a built-in emulator of Diga. Needs nothing else."`
	Serve        serveCmd         `cmd:"" help:"Run the facade in front of Diga."`
	Emulator     emulatorCmd      `cmd:"" help:"Run only the emulator of Diga."`
	Doctor       doctorCmd        `cmd:"" help:"Check the settings of serve and the connection to Diga. Changes nothing."`
	Templates    templatesCmd     `cmd:"" help:"Find a template, through a running digate."`
	Copy         copyCmd          `cmd:"" help:"Create an integration from a template, through a running digate."`
	Bulk         bulk.Command     `cmd:"" help:"Create an integration for each row of a file, through a running digate."`
	Ledger       ledgerCmd        `cmd:"" help:"Show what is recorded of a copy, and settle one in doubt, through a running digate."`
	Integrations integrationsCmd  `cmd:"" help:"List, show, change and delete integrations, through a running digate."`
	Tools        toolsCmd         `cmd:"" help:"List an integration's tools and set their approval, through a running digate."`
	Config       configCmd        `cmd:"" help:"Show the settings of serve that are in force."`
	Accounts     accountsCmd      `cmd:"" help:"Check the file of accounts and callers, and say what a caller may do."`
	Explain      explainCmd       `cmd:"" help:"Say what the reason of a failure means, and what to do about it."`
	Contract     contractCmd      `cmd:"" help:"Compare Diga's published contract with the one of this digate."`
	Completion   complete.Command `cmd:"" help:"Print a script that completes commands, flags and ids in a shell."`
	Man          manCmd           `cmd:"" hidden:"" help:"Write the manual pages, one for each command."`
	Version      versionCmd       `cmd:"" help:"Print the version."`

	origins origins
}

// run executes a command line and returns its exit code.
func run(ctx context.Context, args []string, std term.IO) int {
	if len(args) > 0 && args[0] == complete.Name {
		complete.Write(ctx, completable{}, args[1:], std.Out)
		return client.ExitDone
	}
	if len(args) > 0 && args[0] == "help" { // many programs have a help command
		args = helpWords(args[1:])
	}
	done := false
	commands := new(cli)
	parser, err := newParser(ctx, commands, std, func(int) { done = true })
	if err != nil {
		return client.ExitCode(std.Err, err)
	}
	if len(args) == 0 {
		begin(std.Out, term.Self(), term.Columns(std.Out))
		return client.ExitUsage
	}
	for i, arg := range args {
		if !utf8.ValidString(arg) { // the parser would replace the bytes
			term.Complain(std.Err, fmt.Errorf("argument %d is not UTF-8", i+1))
			return client.ExitUsage
		}
	}
	o := &commands.origins
	o.stray = strayVariables(os.Environ(), knownVariables(parser.Model))
	parsed, err := parser.Parse(args)
	switch {
	case done: // the parser continues after --help and --version
		return client.ExitDone
	case err != nil:
		line := lineOf(err)
		o.warn(std.Err)
		term.Complain(std.Err, o.explain(line, err))
		fmt.Fprintf(std.Err, "Try: %s --help\n", commandOf(line))
		return client.ExitUsage
	}
	if !warnsItself(parsed) {
		o.warn(std.Err)
	}
	code := client.ExitCode(std.Err, o.explain(parsed, parsed.Run()))
	if code == client.ExitFailed && client.Interrupted(ctx) {
		return client.ExitInterrupted
	}
	return code
}

func newParser(ctx context.Context, commands *cli, std term.IO, exit func(int)) (*kong.Kong, error) {
	return kong.New(commands,
		kong.Name("digate"),
		kong.Description("A typed gRPC contract, and the same REST, in front of Diga's integration API."),
		kong.Writers(std.Out, std.Err),
		kong.Exit(exit),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.Help(printHelp),
		// The help of --config explains the environment variables of all flags.
		kong.ValueFormatter(func(v *kong.Value) string { return v.Help }),
		kong.PostBuild(finishFlags),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(std, &commands.origins),
	)
}

// finishFlags gives every flag --foo-bar the environment variable DIGATE_FOO_BAR. kong's
// own rule would change http2 to HTTP_2. finishFlags also derives the flags of dev from
// those of serve.
func finishFlags(k *kong.Kong) error {
	return kong.Visit(k.Model, func(node kong.Visitable, next kong.Next) error {
		switch node := node.(type) {
		case *kong.Command:
			if node.Name == "dev" {
				asDev(node)
			}
		case *kong.Flag:
			switch node.Name {
			case "help":
				node.Help = "Show this help."
			case helpAllName:
			case "version": // images often have a variable DIGATE_VERSION
			default:
				node.Envs = []string{variablePrefix + strings.ToUpper(strings.ReplaceAll(node.Name, "-", "_"))}
				node.Tag.Envs = node.Envs
			}
		}
		return next(nil)
	})
}

// commandOf returns the command of a command line as typed. The line may be nil.
func commandOf(line *kong.Context) string {
	if line != nil {
		if cmd := line.Selected(); cmd != nil {
			return cmd.FullPath()
		}
	}
	return "digate"
}

// discard has standard streams for parsing without input and output.
var discard = term.IO{In: strings.NewReader(""), Out: io.Discard, Err: io.Discard}
