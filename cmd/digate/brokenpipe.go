package main

import (
	"os/signal"
	"syscall"
)

// ignoreBrokenPipe lets a process go on whose output nobody reads any more. A
// server must not end in the middle of a copy because of its log.
func ignoreBrokenPipe() { signal.Ignore(syscall.SIGPIPE) }
