package main

import (
	"os/signal"
	"syscall"
)

// ignoreBrokenPipe keeps the process running if the reader of its output is gone. A
// server must not end in the middle of a copy because of its log.
func ignoreBrokenPipe() { signal.Ignore(syscall.SIGPIPE) }
