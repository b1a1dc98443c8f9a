package main

import (
	"os"
	"os/signal"
	"syscall"
)

// onHangUp calls reload at each SIGHUP from now on, which ends the process no longer.
// End ends that.
func onHangUp(reload func()) (end func()) {
	signal.Ignore(syscall.SIGHUP) // undoes what main asked for
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
