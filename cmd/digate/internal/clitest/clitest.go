// Package clitest runs commands in tests.
package clitest

import (
	"bytes"
	"context"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/term"
	"github.com/digate/digate/internal/need"
	"github.com/digate/digate/test/await"
	"github.com/digate/digate/test/rig"
)

// The templates and secrets of tests. No output for people may hold a secret: see
// [CheckNoSecret].
const (
	TemplateID = "3c90c3cc-0d44-4b50-8888-8dd25736052a"
	NoTemplate = "3c90c3cc-0d44-4b50-8888-8dd257360520"

	Token     = "hunter2-token"
	APIKey    = "hunter2-key"
	VarSecret = "hunter2-var"
)

// Main runs the tests of a package as [rig.Main] does. It hides the DIGATE_
// settings of the person who runs the tests, but not what [need.Variable] names.
func Main(m *testing.M) {
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, "DIGATE_") && name != need.Variable {
			_ = os.Unsetenv(name)
		}
	}
	rig.Main(m, 0)
}

// Ran is what a command line did.
type Ran struct {
	Code     int
	Out, Err string
}

// Run runs a command line of some commands and returns the exit code.
func Run(ctx context.Context, commands any, args []string, std term.IO) int {
	parser, err := kong.New(commands, kong.Name("digate"), kong.Writers(std.Out, std.Err), kong.Exit(func(int) {}),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(std))
	if err != nil {
		return client.ExitCode(std.Err, err)
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		return client.ExitCode(std.Err, client.WrongUsage(std.Err, err))
	}
	return client.ExitCode(std.Err, parsed.Run())
}

// RunWith runs a command line on some standard input, as run does.
func RunWith(t *testing.T, run func(context.Context, []string, term.IO) int, stdin string, args ...string) Ran {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), await.Patience)
	defer cancel()
	var out, err bytes.Buffer
	code := run(ctx, args, term.IO{In: strings.NewReader(stdin), Out: &out, Err: &err})
	return Ran{Code: code, Out: out.String(), Err: err.String()}
}

// CheckNoSecret fails if a secret of the tests was shown.
func CheckNoSecret(t *testing.T, got Ran) {
	t.Helper()
	if strings.Contains(got.Out+got.Err, "hunter2") {
		t.Errorf("a secret was shown: %+v", got)
	}
}

// WriteFile writes a temporary file and returns its path.
func WriteFile(t *testing.T, name, content string) string {
	t.Helper()
	path := t.TempDir() + "/" + name
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// BrokenPipe fails every write.
type BrokenPipe struct{}

func (BrokenPipe) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }
