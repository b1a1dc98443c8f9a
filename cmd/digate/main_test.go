package main

import (
	"testing"

	"github.com/digate/digate/cmd/digate/internal/clitest"
)

func TestMain(m *testing.M) { clitest.Main(m) }

// digate runs a command line in the process, with nothing on stdin.
func digate(t *testing.T, args ...string) clitest.Ran {
	t.Helper()
	return digateWith(t, "", args...)
}

func digateWith(t *testing.T, stdin string, args ...string) clitest.Ran {
	t.Helper()
	return clitest.RunWith(t, run, stdin, args...)
}
