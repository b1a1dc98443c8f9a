package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/alecthomas/kong"
)

// stdio is what a command reads from and writes to.
type stdio struct {
	in       io.Reader
	out, err io.Writer
}

// cli is every command with its flags.
type cli struct {
	ConfigFile configFile `name:"config" placeholder:"FILE" help:"YAML file of settings, by flag name. What counts is the flag, else the environment (--log-level is DIGATE_LOG_LEVEL), else the file."`

	Dev          devCmd          `cmd:"" help:"Run everything on loopback, with an embedded stand-in for Diga. Needs nothing."`
	Serve        serveCmd        `cmd:"" help:"Run the facade in front of Diga."`
	Emulator     emulatorCmd     `cmd:"" help:"Run the stand-in for Diga alone."`
	Doctor       doctorCmd       `cmd:"" help:"Check the settings of serve, and the way to Diga, without changing anything."`
	Templates    templatesCmd    `cmd:"" help:"Find a template, through a running digate."`
	Copy         copyCmd         `cmd:"" help:"Create an integration from a template, through a running digate."`
	Bulk         bulkCmd         `cmd:"" help:"Create an integration for each row of a file, through a running digate."`
	Ledger       ledgerCmd       `cmd:"" help:"See what is known of a copy, and settle one in doubt, through a running digate."`
	Integrations integrationsCmd `cmd:"" help:"Look after integrations, through a running digate."`
	Tools        toolsCmd        `cmd:"" help:"Look after an integration's tools, through a running digate."`
	Completion   completionCmd   `cmd:"" help:"Print a script that completes commands, flags and ids in a shell."`
	Version      versionCmd      `cmd:"" help:"Print the version."`
}

// run executes a command line and returns its exit code.
func run(ctx context.Context, args []string, std stdio) int {
	if len(args) > 0 && args[0] == completeCommand {
		complete(ctx, args[1:], std.out)
		return exitDone
	}
	helped := false
	parser, err := newParser(ctx, &cli{}, std, func(int) { helped = true })
	if err != nil {
		complain(std.err, err)
		return exitFailed
	}
	if len(args) == 0 {
		_, _ = parser.Parse([]string{"--help"})
		return exitUsage
	}
	for i, arg := range args {
		if !utf8.ValidString(arg) { // the parser would replace what is not
			complain(std.err, fmt.Errorf("argument %d is not UTF-8", i+1))
			return exitUsage
		}
	}
	parsed, err := parser.Parse(args)
	switch {
	case helped: // parsing goes on after the answer to --help
		return exitDone
	case err != nil:
		complain(std.err, err)
		fmt.Fprintf(std.err, "Try: %s --help\n", commandOf(err))
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
		complain(std.err, err)
		return exitFailed
	}
}

func newParser(ctx context.Context, commands *cli, std stdio, exit func(int)) (*kong.Kong, error) {
	return kong.New(commands,
		kong.Name("digate"),
		kong.Description("A typed gRPC contract, and the same REST, in front of Diga's integration API."),
		kong.Writers(std.out, std.err),
		kong.Exit(exit),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		// The rule for environment variables stands with --config, once.
		kong.ValueFormatter(func(v *kong.Value) string { return v.Help }),
		kong.PostBuild(finishFlags),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(std),
	)
}

// finishFlags gives every flag --foo-bar its environment variable
// DIGATE_FOO_BAR. kong's own naming would make HTTP_2 of http2.
func finishFlags(k *kong.Kong) error {
	return kong.Visit(k.Model, func(node kong.Visitable, next kong.Next) error {
		if f, ok := node.(*kong.Flag); ok {
			if f.Name == "help" {
				f.Help = "Show this."
			} else {
				f.Envs = []string{"DIGATE_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))}
				f.Tag.Envs = f.Envs
			}
		}
		return next(nil)
	})
}

// complain says what went wrong, further lines indented below the first.
func complain(w io.Writer, err error) {
	fmt.Fprintf(w, "digate: %s\n", strings.ReplaceAll(err.Error(), "\n", "\n  "))
}

// commandOf is the command that a parser's error is about, as it is typed.
func commandOf(err error) string {
	var parse *kong.ParseError
	if errors.As(err, &parse) && parse.Context != nil {
		if cmd := parse.Context.Selected(); cmd != nil {
			return cmd.FullPath()
		}
	}
	return "digate"
}
