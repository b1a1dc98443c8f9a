// Command digate is a gRPC facade over the REST API of Diga. It is the server, a
// stand-in for Diga, and a client.
package main

import (
	"context"
	"io"
	"log"
	"os"
	"os/signal"
	"syscall"

	"github.com/digate/digate/cmd/digate/internal/term"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), endSignals()...)
	context.AfterFunc(ctx, func() {
		// A terminal that is closed sends SIGHUP twice: by the kernel and by the shell.
		signal.Ignore(syscall.SIGHUP)
		stop() // a second signal of another kind ends the process at once
	})
	// net/http logs odd responses here and quotes them. They may hold secrets.
	log.SetOutput(io.Discard)
	os.Exit(run(ctx, os.Args[1:], term.IO{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}))
}

// endSignals are the signals that end a command, a server after a drain. SIGHUP, which
// a terminal sends when it is closed, is one of them, unless nohup had it ignored.
func endSignals() []os.Signal {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	return signals
}
