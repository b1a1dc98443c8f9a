package main

import (
	"fmt"
	"slices"

	"github.com/alecthomas/kong"
)

// mostNeeded are the settings of serve that --help shows.
var mostNeeded = []string{
	"grpc-addr", "http-addr", "admin-addr", "docs", "web-rpc",
	"tls-cert-file", "tls-key-file", "tls-client-ca-file",
	"accounts-file", "caller-id-claim",
	"upstream-url", "upstream-timeout", "upstream-ca-file", "upstream-max-in-flight",
	"ledger", "ledger-key-file", "ledger-retention", "require-request-id",
	"audit-log",
	"max-request-bytes", "max-deadline", "drain-delay", "shutdown-timeout",
}

// fewSettings is how many settings --help never leaves out.
const fewSettings = 10

const helpAllName = "help-all"

// helpAllFlag is --help-all, which shows every flag.
type helpAllFlag bool

// BeforeReset implements kong's hook.
func (helpAllFlag) BeforeReset(line *kong.Context) error {
	line.Exit(0)
	return line.PrintUsage(false)
}

// printHelp is what --help and --help-all do. Of a command with all the settings of serve,
// --help shows the flags most needed.
func printHelp(options kong.HelpOptions, line *kong.Context) error {
	settings := lessNeeded(line)
	many := len(settings) > fewSettings
	all := slices.ContainsFunc(line.Path, func(p *kong.Path) bool { return p.Flag != nil && p.Flag.Name == helpAllName })
	for _, f := range settings {
		f.Hidden = many && !all
	}
	for _, f := range line.Model.Flags {
		f.Hidden = f.Hidden || f.Name == helpAllName && !many
	}
	if err := kong.DefaultHelpPrinter(options, line); err != nil || !many || all {
		return err
	}
	_, err := fmt.Fprintf(line.Stdout, "\nThese are the flags most needed. There are %d more:\n  %s --%s\n", len(settings), commandOf(line), helpAllName)
	return err
}

// lessNeeded returns the flags of the selected command that are settings of serve and not
// among those most needed.
func lessNeeded(line *kong.Context) (less []*kong.Flag) {
	command := line.Selected()
	serve := slices.IndexFunc(line.Model.Children, func(n *kong.Node) bool { return n.Name == "serve" })
	if command == nil || serve < 0 {
		return nil
	}
	for _, f := range command.Flags {
		if !f.Hidden && !slices.Contains(mostNeeded, f.Name) && slices.ContainsFunc(line.Model.Children[serve].Flags, func(s *kong.Flag) bool { return s.Name == f.Name && s.Group != nil }) {
			less = append(less, f)
		}
	}
	return less
}

// helpWords returns the words of `digate help COMMAND` as those of a command with a flag.
func helpWords(words []string) []string {
	rest := slices.DeleteFunc(slices.Clone(words), func(word string) bool { return word == "--all" })
	if len(rest) < len(words) {
		return append(rest, "--"+helpAllName)
	}
	return append(rest, "--help")
}
