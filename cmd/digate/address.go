package main

import (
	"errors"
	"fmt"
	"net"
	"syscall"
)

// dialable returns a listener's address as a client on this machine dials it.
func dialable(addr net.Addr) string {
	host, port, err := net.SplitHostPort(addr.String())
	if ip := net.ParseIP(host); err == nil && ip != nil && ip.IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return addr.String()
}

func httpURL(addr net.Addr) string { return "http://" + dialable(addr) }

// takenBy adds to an error of a port that is taken which program may have it.
func takenBy(program string, err error) error {
	if !errors.Is(err, syscall.EADDRINUSE) {
		return err
	}
	return fmt.Errorf("%w (another %s?); give another port, or 0 for any that is free", err, program)
}
