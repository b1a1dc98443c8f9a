package main

import (
	"os"
	"os/signal"
	"syscall"
)

// onHangUp calls reload after each SIGHUP, which from now on does not end the process.
// Calling end stops that.
func onHangUp(reload func()) (end func()) {
	signal.Ignore(syscall.SIGHUP) // undoes what main set up
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGHUP)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for range signals {
			reload()
		}
	}()
	return func() {
		signal.Stop(signals)
		close(signals)
		<-ended
	}
}
