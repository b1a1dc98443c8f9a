// Command digate is a gRPC facade for the REST API of Diga. It contains the server, a
// emulator of Diga, and a client.
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
	// net/http logs unexpected responses here and quotes them. They may contain secrets.
	log.SetOutput(io.Discard)
	code := run(untilEndSignal(), os.Args[1:], term.IO{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
	if code == client.ExitInterrupted {
		interruptItself()
	}
	os.Exit(code)
}

// untilEndSignal returns a context that ends with the first signal of [endSignals]. Its
// cause is a [client.SignalError].
func untilEndSignal() context.Context {
	ctx, end := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, endSignals()...)
	go func() {
		first := <-signals
		// Closing a terminal sends SIGHUP twice: from the kernel and from the shell.
		signal.Ignore(syscall.SIGHUP)
		signal.Stop(signals) // a second signal of another kind ends the process at once
		end(client.SignalError{Signal: first})
	}()
	return ctx
}

// interruptItself ends the process with SIGINT, on systems with signals. If a command
// merely exits after Ctrl-C, a shell continues its loop or script.
func interruptItself() {
	signal.Reset(os.Interrupt)
	if self, err := os.FindProcess(os.Getpid()); err == nil && self.Signal(os.Interrupt) == nil {
		time.Sleep(time.Second) // until the signal arrives; in a container it may never arrive
	}
}

// endSignals are the signals that end a command, and a server after a drain. They include
// SIGHUP, which a terminal sends when it is closed, unless nohup made the process ignore
// it.
func endSignals() []os.Signal {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	return signals
}
