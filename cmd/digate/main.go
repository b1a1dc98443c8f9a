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
	"time"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/term"
)

func main() {
	// net/http logs odd responses here and quotes them. They may hold secrets.
	log.SetOutput(io.Discard)
	code := run(untilEndSignal(), os.Args[1:], term.IO{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
	if code == client.ExitInterrupted {
		interruptItself()
	}
	os.Exit(code)
}

// untilEndSignal returns a context that the first of the end signals ends. Its cause is
// a [client.SignalError].
func untilEndSignal() context.Context {
	ctx, end := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, endSignals()...)
	go func() {
		first := <-signals
		// A terminal that is closed sends SIGHUP twice: by the kernel and by the shell.
		signal.Ignore(syscall.SIGHUP)
		signal.Stop(signals) // a second signal of another kind ends the process at once
		end(client.SignalError{Signal: first})
	}()
	return ctx
}

// interruptItself ends the process by SIGINT, where there are signals. A shell goes on with
// its loop or script if a command merely exits after Ctrl-C.
func interruptItself() {
	signal.Reset(os.Interrupt)
	if self, err := os.FindProcess(os.Getpid()); err == nil && self.Signal(os.Interrupt) == nil {
		time.Sleep(time.Second) // until the signal arrives, which it may not in a container
	}
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
