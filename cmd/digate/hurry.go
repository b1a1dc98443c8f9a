package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// untilSignal returns a context that ends with ctx or with the next SIGTERM or SIGINT.
// Until then, these signals do not end the process.
func untilSignal(ctx context.Context) context.Context {
	hurried, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return hurried
}
