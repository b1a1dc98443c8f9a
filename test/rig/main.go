package rig

import (
	"flag"
	"fmt"
	"os"
	"strconv"
	"testing"

	"go.uber.org/goleak"
)

// Main runs a package's tests and ends the process. While they run, dir names a
// directory for what they build; it may be nil. Parallel bounds the tests that run together; 0
// leaves the bound to -test.parallel. A goroutine that the tests leave behind
// fails them.
func Main(m *testing.M, dir *string, parallel int) {
	code, err := run(m, dir, parallel)
	if code == 0 && err == nil {
		err = goleak.Find()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "FAIL:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

func run(m *testing.M, dir *string, parallel int) (code int, err error) {
	if parallel > 0 {
		if err := flag.Set("test.parallel", strconv.Itoa(parallel)); err != nil {
			return 1, err
		}
	}
	if dir == nil {
		return m.Run(), nil
	}
	if *dir, err = os.MkdirTemp("", "digate-test-"); err != nil {
		return 1, err
	}
	code = m.Run()
	return code, os.RemoveAll(*dir)
}
