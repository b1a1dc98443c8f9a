package main

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/clitest"
	"github.com/digate/digate/cmd/digate/internal/term"
	"github.com/digate/digate/server/emulator"
)

func TestRun_WrongUsage_SaysWhatAndWhereToLook(t *testing.T) {
	t.Parallel()
	const id = "3c90c3cc-0d44-4b50-8888-8dd25736052a"
	for name, row := range map[string]struct {
		args []string
		want []string
	}{
		"unknown command":      {[]string{"srve"}, []string{"srve", "Try: digate --help"}},
		"unknown flag":         {[]string{"serve", "--grpc"}, []string{"--grpc", "Try: digate serve --help"}},
		"no template":          {[]string{"copy"}, []string{"<template_id>", "Try: digate copy --help"}},
		"two templates":        {[]string{"copy", id, id}, []string{"unexpected argument", "Try: digate copy --help"}},
		"output":               {[]string{"copy", id, "-o", "xml"}, []string{"--output", "text", "json"}},
		"duration":             {[]string{"copy", id, "--timeout", "soon"}, []string{"--timeout"}},
		"timeout of nothing":   {[]string{"copy", id, "--timeout", "0s"}, []string{"--timeout: must be more than 0"}},
		"token file":           {[]string{"copy", id, "--token-file", "/nonexistent"}, []string{"--token-file"}},
		"ca file":              {[]string{"copy", id, "--ca-file", "/nonexistent"}, []string{"--ca-file"}},
		"seed":                 {[]string{"emulator", "--seed", "x"}, []string{"--seed"}},
		"latency":              {[]string{"dev", "--latency", "x"}, []string{"--latency", "is no duration"}},
		"percentiles":          {[]string{"emulator", "--latency", "p50=1s,p40=2s"}, []string{"--latency", "percentiles must ascend"}},
		"initial state":        {[]string{"emulator", "--initial-state", "/nonexistent"}, []string{"--initial-state"}},
		"log level":            {[]string{"serve", "--log-level", "loud"}, []string{"--log-level", "loud"}},
		"several settings":     {[]string{"serve", "--grpc-addr", "x", "--upstream-url", "y"}, []string{"--grpc-addr: must be", "\n  --upstream-url: must begin"}},
		"upstream URL":         {[]string{"serve", "--upstream-url", "https://u:hunter2@x"}, []string{"--upstream-url"}},
		"limit":                {[]string{"serve", "--upstream-max-response-bytes", "1"}, []string{"--upstream-max-response-bytes"}},
		"upstream CA":          {[]string{"serve", "--upstream-ca-file", "/nonexistent"}, []string{"--upstream-ca-file"}},
		"var without value":    {[]string{"copy", id, "--var", "hunter2"}, []string{"--var: must be NAME=VALUE"}},
		"var without name":     {[]string{"copy", id, "--var", "=hunter2"}, []string{"--var: must be NAME=VALUE"}},
		"var not UTF-8":        {[]string{"copy", id, "--var", "k=hunter2\xff"}, []string{"argument 4 is not UTF-8"}},
		"var twice":            {[]string{"copy", id, "--var", "k=hunter2", "--var", "k=hunter2"}, []string{`--var: "k" is set twice`}},
		"var and var-json":     {[]string{"copy", id, "--var", "k=hunter2", "--var-json", "k=1"}, []string{`--var-json: "k" is set twice`}},
		"var-json not JSON":    {[]string{"copy", id, "--var-json", "k=hunter2"}, []string{`--var-json: "k": must be one JSON value`}},
		"var-json two values":  {[]string{"copy", id, "--var-json", "k=1 2"}, []string{"must be one JSON value"}},
		"var-json escapes":     {[]string{"copy", id, "--var-json", `k=1},"name":{"x":1`}, []string{"must be one JSON value"}},
		"var-json empty":       {[]string{"copy", id, "--var-json", "k="}, []string{"must be one JSON value"}},
		"var-json not Unicode": {[]string{"copy", id, "--var-json", `k="hunter2\ud800"`}, []string{`--var-json: "k": must be valid Unicode`}},
		"var-json too deep":    {[]string{"copy", id, "--var-json", "k=" + strings.Repeat("[", 99) + strings.Repeat("]", 99)}, []string{`--var-json: "k": is nested too deeply`}},
		"var-json keys twice":  {[]string{"copy", id, "--var-json", `k={"a":1,"a":2}`}, []string{`--var-json: "k": `}},
		"command of a group":   {[]string{"tools"}, []string{"list", "approve", "Try: digate tools --help"}},
		"order":                {[]string{"tools", "list", id, "--order", "up"}, []string{"--order", "asc", "desc"}},
		"type":                 {[]string{"integrations", "list", "--type", "http"}, []string{"--type", "HTTP", "MCP"}},
		"all and page":         {[]string{"templates", "list", "--all", "--page", "1"}, []string{"--all: lists every page"}},
		"all and before":       {[]string{"templates", "list", "--all", "--before", id}, []string{"--all: lists every page"}},
		"wait below 0":         {[]string{"copy", id, "--wait=-1s"}, []string{"--wait: must be a number of whole seconds"}},
		"wait of a part":       {[]string{"copy", id, "--wait", "1500ms"}, []string{"--wait: must be a number of whole seconds"}},
		"list's timeout":       {[]string{"templates", "list", "--timeout", "0s"}, []string{"--timeout: must be more than 0"}},
		"limit of a page":      {[]string{"templates", "list", "--limit", "x"}, []string{"--limit"}},
		"update of nothing":    {[]string{"integrations", "update", id}, []string{"nothing to change"}},
		"unknown to clear":     {[]string{"integrations", "update", id, "--clear", "id"}, []string{"--clear", "base_url"}},
		"set and cleared":      {[]string{"integrations", "update", id, "--clear", "headers", "--header", "A=hunter2"}, []string{"--clear: headers is also set"}},
		"header without value": {[]string{"integrations", "update", id, "--header", "hunter2"}, []string{"--header: must be NAME=VALUE"}},
		"header twice":         {[]string{"integrations", "update", id, "--header", "A=hunter2", "--header", "A=hunter2"}, []string{`--header: "A" is set twice`}},
		"no tool":              {[]string{"tools", "approve", id}, []string{"<tool_id>", "Try: digate tools approve --help"}},
		"shell":                {[]string{"completion", "csh"}, []string{"bash", "zsh", "fish"}},
		"no shell":             {[]string{"completion"}, []string{"completion needs <shell>: bash, zsh or fish"}},
		"update of nobody":     {[]string{"integrations", "update"}, []string{"needs <integration_id>"}},
		"var alone":            {[]string{"copy", id, "--var"}, []string{"--var: needs a value behind it\n"}},
		"negative duration":    {[]string{"copy", id, "--timeout", "-5s"}, []string{"--timeout: needs a value behind it; write one that begins with a hyphen as --timeout=VALUE\n"}},
		"flag for a value":     {[]string{"copy", id, "--var", "-hunter2"}, []string{"--var: needs a value behind it; write one"}},
		"optional enum":        {[]string{"templates", "list", "--order", "up"}, []string{`--order: "up" is none of "asc", "desc"` + "\n"}},
		"false apart":          {[]string{"serve", "--docs", "false"}, []string{"unexpected argument false: a flag takes it behind an =, such as --docs=false\n"}},
		"no settings file":     {[]string{"serve", "--config", "/nowhere/x"}, []string{"--config: there is no file /nowhere/x\n"}},
		"empty request id":     {[]string{"copy", id, "--request-id", ""}, []string{"--request-id: is empty, and would protect nothing"}},
		"no input":             {[]string{"bulk"}, []string{"bulk needs <file>"}},
		"input is not there":   {[]string{"bulk", "shops"}, []string{"there is no file shops\n"}},
		"input is a directory": {[]string{"bulk", "testdata", "--dry-run"}, []string{"testdata is a directory"}},
		"no ledger":            {[]string{"ledger", "stats"}, []string{"--ledger: give the ledger itself: sqlite:PATH or postgres://"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := digate(t, row.args...)
			if got.Code != client.ExitUsage || got.Out != "" {
				t.Errorf("exit code %d, stdout %q", got.Code, got.Out)
			}
			if !strings.HasPrefix(got.Err, "digate: ") {
				t.Errorf("stderr %q", got.Err)
			}
			for _, want := range row.want {
				if !strings.Contains(got.Err, want) {
					t.Errorf("no %q in %q", want, got.Err)
				}
			}
			if strings.Contains(got.Err, "hunter2") {
				t.Errorf("a secret is in %q", got.Err)
			}
		})
	}
}

func TestRun_SecretInTheEnvironment_IsNotQuotedByAnError(t *testing.T) {
	t.Setenv("DIGATE_VAR", "hunter2")
	got := digate(t, "copy", "x")
	if got.Code != client.ExitUsage || !strings.Contains(got.Err, "--var") || strings.Contains(got.Err, "hunter2") {
		t.Errorf("%+v", got)
	}
}

func TestRun_Help_IsACommandToo(t *testing.T) {
	t.Parallel()
	for command, flag := range map[string][]string{"help": {"--help"}, "help copy": {"copy", "--help"}, "help tools list": {"tools", "list", "--help"}} {
		got, want := digate(t, strings.Fields(command)...), digate(t, flag...)
		if got != want || got.Code != client.ExitDone || !strings.HasPrefix(got.Out, "Usage: digate ") {
			t.Errorf("%s: %+v", command, got)
		}
	}
}

func TestHelp_EveryCommand_IsWhole(t *testing.T) {
	t.Parallel()
	faultIDs := make([]string, 0, 16)
	for _, f := range emulator.Faults() {
		faultIDs = append(faultIDs, f.ID+"  "+f.Description)
	}
	for command, wants := range map[string][]string{
		"":         {"dev", "serve", "emulator", "copy", "version", "DIGATE_LOG_LEVEL"},
		"dev":      {"--grpc-addr", "--http-addr", "--admin-addr", "--emulator-addr", "--latency", "--seed", "--strict", "--control", "--initial-state"},
		"serve":    {"--upstream-url", "Addresses:", "Diga:", "Limits:", "https://api.diga.io"},
		"emulator": append(faultIDs, "--emulator-addr", "--latency", "--seed", "--strict", "--control", "--initial-state"),
		"copy": {"  0  done", "  1  ", "  2  ", "  3  NOT_SENT", "  4  REJECTED", "  5  UNKNOWN",
			"--name", "--base-url", "--api-key-file", "--var=NAME=TEXT", "--var-json=NAME=JSON", "--request-id", "--output",
			"Connection:", "--addr", "--tls", "--ca-file", "--token-file", "--timeout", "--wait"},
		"templates list":      {"--limit", "--page", "--after", "--before", "--order", "--all", "--language", "--output", "--addr", "a second call is safe"},
		"templates get":       {"<template_id>", "--output", "a second call is safe"},
		"integrations list":   {"--limit", "--type", "a second call is safe"},
		"integrations get":    {"<integration_id>", "a second call is safe"},
		"integrations update": {"--name", "--description", "--base-url", "--auth-key-file", "--header=NAME=VALUE", "--clear", "look before a second call"},
		"integrations delete": {"--yes", "look before a second call"},
		"tools list":          {"<integration_id>", "--limit", "a second call is safe"},
		"tools approve":       {"<tool_id>", "--no", "look before a second call"},
		"completion":          {"source <(digate completion bash)", "digate completion fish | source"},
		"version":             {"Print the version."},
	} {
		t.Run(command, func(t *testing.T) {
			got := digate(t, append(strings.Fields(command), "--help")...)
			if got.Code != client.ExitDone || got.Err != "" {
				t.Errorf("exit code %d, stderr %q", got.Code, got.Err)
			}
			for _, want := range wants {
				if !strings.Contains(got.Out, want) {
					t.Errorf("no %q in:\n%s", want, got.Out)
				}
			}
			if strings.Contains(got.Out, "${") {
				t.Errorf("a variable was not filled in:\n%s", got.Out)
			}
			for line := range strings.Lines(got.Out) {
				if len(line) > 81 && !strings.HasPrefix(line, "    00000000-") {
					t.Errorf("a line of %d columns: %s", len(line), line)
				}
			}
		})
	}
}

// takenAddress returns an address at which something listens until the test ends.
func takenAddress(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	return ln.Addr().String()
}

func TestRun_AddressInUse_NamesTheFlag(t *testing.T) {
	t.Parallel()
	free, taken := "127.0.0.1:0", takenAddress(t)
	flags := map[string][]string{
		"dev":      {"--grpc-addr", "--http-addr", "--admin-addr", "--emulator-addr"},
		"serve":    {"--grpc-addr", "--http-addr", "--admin-addr"},
		"emulator": {"--emulator-addr"},
	}
	for command, names := range flags {
		for _, in := range names {
			args := []string{command}
			for _, name := range names {
				args = append(args, name, map[bool]string{true: taken, false: free}[name == in])
			}
			got := digate(t, args...)
			if got.Code != client.ExitFailed || !strings.HasPrefix(got.Err, "digate: "+in+": ") || !strings.Contains(got.Err, "in use") {
				t.Errorf("%s: %+v", args, got)
			}
		}
	}
}

// Somebody who runs a second one, or another program on one of the ports, mends all of
// them at once.
func TestRun_AddressesInUse_AreNamedTogether(t *testing.T) {
	t.Parallel()
	taken := takenAddress(t)
	for command, names := range map[string][]string{
		"dev":   {"--emulator-addr", "--grpc-addr", "--http-addr", "--admin-addr"},
		"serve": {"--grpc-addr", "--http-addr", "--admin-addr"},
	} {
		args, lines := []string{command}, ""
		for _, name := range names {
			args = append(args, name, taken)
			lines += "  " + name + ": cannot listen on " + taken + ": address already in use\n"
		}
		got := digate(t, args...)
		if got.Code != client.ExitFailed || !strings.HasPrefix(got.Err, "digate: "+strings.TrimLeft(lines, " ")+"  (another digate") || !strings.HasSuffix(got.Err, "Give other ports, or 0 for any that are free\n") {
			t.Errorf("%s: %+v", args, got)
		}
	}
	config := clitest.WriteFile(t, "config.yaml", "http-addr: "+taken+"\nadmin-addr: "+taken+"\n")
	got := digate(t, "dev", "--config", config, "--grpc-addr", "127.0.0.1:0", "--emulator-addr", "127.0.0.1:0")
	for _, line := range []string{"--http-addr: cannot listen on " + taken + ": address already in use (set in " + config + ":1)\n", "--admin-addr: cannot listen on " + taken + ": address already in use (set in " + config + ":2)\n"} {
		if !strings.Contains(got.Err, line) {
			t.Errorf("%+v\nhas no line %s", got, line)
		}
	}
}

// parse returns the commands as a command line sets them.
func parse(t *testing.T, args ...string) (*cli, error) {
	t.Helper()
	var c cli
	parser, err := newParser(context.Background(), &c, term.IO{In: nil, Out: io.Discard, Err: io.Discard}, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	_, err = parser.Parse(args)
	return &c, err
}
