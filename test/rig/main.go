package rig

import (
	"flag"
	"fmt"
	"os"
	"strconv"
	"testing"

	"go.uber.org/goleak"
)

// binaries is the directory for what [Build] builds. Main makes and removes it.
var binaries string

// Main runs a package's tests and ends the process. Parallel bounds the tests that
// run together; 0 leaves the bound to -test.parallel. A goroutine that the tests
// leave behind fails them.
func Main(m *testing.M, parallel int) {
	code, err := run(m, parallel)
	if code == 0 && err == nil {
		err = goleak.Find()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "FAIL:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

func run(m *testing.M, parallel int) (code int, err error) {
	if parallel > 0 {
		if err := flag.Set("test.parallel", strconv.Itoa(parallel)); err != nil {
			return 1, err
		}
	}
	if binaries, err = os.MkdirTemp("", "digate-test-"); err != nil {
		return 1, err
	}
	code = m.Run()
	return code, os.RemoveAll(binaries)
}
