// Command digate is a gRPC facade over Diga's integration API, and its tools:
// a server, a stand-in for the vendor, and a client.
package main

import (
	"context"
	"io"
	"log"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal ends the process at once.
	context.AfterFunc(ctx, stop)
	// net/http has no other place for what it finds odd about an answer, and
	// quotes the answer there.
	log.SetOutput(io.Discard)
	os.Exit(run(ctx, os.Args[1:], stdio{os.Stdin, os.Stdout, os.Stderr}))
}
