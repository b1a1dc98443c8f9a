package main

import (
	"io"
	"time"

	"github.com/digate/digate/server/logqueue"
)

// greetTime is how long a server waits for its greeting to be written.
const greetTime = 100 * time.Millisecond

// greet writes a text before the server starts to serve. The server continues if nobody
// reads the text. Calling end stops the attempt to write it.
func greet(out io.Writer, text string) (end func()) {
	q := logqueue.New(out, nil)
	_, _ = io.WriteString(q, text)
	q.Flush(greetTime) // so that the log follows it in a terminal
	return func() { q.Close(greetTime) }
}
