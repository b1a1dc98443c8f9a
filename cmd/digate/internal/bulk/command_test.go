package bulk

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/digate/digate/cmd/digate/internal/clitest"
	"github.com/digate/digate/cmd/digate/internal/term"
)

func TestMain(m *testing.M) { clitest.Main(m, nil) }

// runCommand runs a command line that begins with bulk.
func runCommand(ctx context.Context, args []string, std term.IO) int {
	var commands struct {
		Bulk Command `cmd:""`
	}
	return clitest.Run(ctx, &commands, args, std)
}

func digate(t *testing.T, args ...string) clitest.Ran {
	t.Helper()
	return digateWith(t, "", args...)
}

func digateWith(t *testing.T, stdin string, args ...string) clitest.Ran {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), clitest.Patience)
	defer cancel()
	var out, err bytes.Buffer
	code := runCommand(ctx, args, term.IO{In: strings.NewReader(stdin), Out: &out, Err: &err})
	return clitest.Ran{Code: code, Out: out.String(), Err: err.String()}
}
