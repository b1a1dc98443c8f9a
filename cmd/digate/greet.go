package main

import (
	"io"
	"time"

	"github.com/digate/digate/server/logqueue"
)

// greetTime is how long a server waits until its first words are written.
const greetTime = 100 * time.Millisecond

// greet writes what a server says before it serves. The server goes on if nobody reads
// that; end gives up on it.
func greet(out io.Writer, text string) (end func()) {
	q := logqueue.New(out, nil)
	_, _ = io.WriteString(q, text)
	q.Flush(greetTime) // the log comes behind it in a terminal
	return func() { q.Close(greetTime) }
}
