package bulk

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/digate/digate/cmd/digate/internal/clitest"
	"github.com/digate/digate/cmd/digate/internal/term"
)

func TestMain(m *testing.M) { clitest.Main(m) }

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

// digateWith runs a command line. Its results are written to standard output if it
// names no place for them.
func digateWith(t *testing.T, stdin string, args ...string) clitest.Ran {
	t.Helper()
	if !slices.Contains(args, "--results") && !slices.Contains(args, "--dry-run") {
		args = append(args, "--results", "-")
	}
	return clitest.RunWith(t, runCommand, stdin, args...)
}

func TestCommand_Validate_NamesTheFlag(t *testing.T) {
	t.Parallel()
	input := clitest.WriteFile(t, "rows.csv", csvOf(1))
	good := Command{File: input, VarPrefix: "var.", Concurrency: maxConcurrency}
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for flag, change := range map[string]func(*Command){
		"--format: ":                         func(c *Command) { c.File = "-" },
		"--var-prefix: ":                     func(c *Command) { c.VarPrefix = "" },
		"--concurrency: must be between 1":   func(c *Command) { c.Concurrency = 0 },
		"--concurrency: must be between 1 a": func(c *Command) { c.Concurrency = maxConcurrency + 1 },
		"--reconnects: ":                     func(c *Command) { c.Reconnects = -1 },
		"--timeout: ":                        func(c *Command) { c.Timeout = -1 },
		"--results: ":                        func(c *Command) { c.Results = input },
		"--job: ":                            func(c *Command) { c.Job = input },
	} {
		c := good
		change(&c)
		if err := c.Validate(); err == nil || !strings.HasPrefix(err.Error(), flag) {
			t.Errorf("%s: got %v", flag, err)
		}
	}
}

func TestCommand_Again_FileThatLooksLikeAFlag_CanBePasted(t *testing.T) {
	t.Parallel()
	c := Command{File: "-rows.csv"}
	if got := c.again("job"); !strings.Contains(got, " bulk ./-rows.csv ") {
		t.Error(got)
	}
}
