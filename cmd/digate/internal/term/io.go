// Package term reads from and writes to the person at a terminal.
package term

import (
	"fmt"
	"io"
	"strings"
)

// IO holds the standard streams of a command.
type IO struct {
	In       io.Reader
	Out, Err io.Writer
}

// Complain writes an error for people. Further lines are indented below the
// first.
func Complain(w io.Writer, err error) {
	fmt.Fprintf(w, "digate: %s\n", strings.ReplaceAll(err.Error(), "\n", "\n  "))
}
