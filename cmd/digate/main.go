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
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal ends the process at once.
	context.AfterFunc(ctx, stop)
	// net/http logs odd responses here and quotes them. They may hold secrets.
	log.SetOutput(io.Discard)
	os.Exit(run(ctx, os.Args[1:], term.IO{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}))
}
