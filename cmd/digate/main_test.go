package main

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/digate/digate/cmd/digate/internal/clitest"
	"github.com/digate/digate/cmd/digate/internal/term"
	"github.com/digate/digate/test/await"
)

func TestMain(m *testing.M) { clitest.Main(m) }

// digate runs a command line in the process, with nothing on stdin.
func digate(t *testing.T, args ...string) clitest.Ran {
	t.Helper()
	return digateWith(t, "", args...)
}

func digateWith(t *testing.T, stdin string, args ...string) clitest.Ran {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), await.Patience)
	defer cancel()
	var out, err bytes.Buffer
	code := run(ctx, args, term.IO{In: strings.NewReader(stdin), Out: &out, Err: &err})
	return clitest.Ran{Code: code, Out: out.String(), Err: err.String()}
}
