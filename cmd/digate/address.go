package main

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"

	"github.com/digate/digate/server/socket"
)

// dialable returns the address at which a client on this machine can reach a listener.
func dialable(addr net.Addr) string {
	if addr.Network() == "unix" {
		return socket.Address(addr)
	}
	host, port, err := net.SplitHostPort(addr.String())
	if ip := net.ParseIP(host); err == nil && ip != nil && ip.IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return addr.String()
}

// httpURL returns the URL of an HTTP listener, with or without TLS.
func httpURL(addr net.Addr, secured bool) string {
	switch {
	case addr.Network() == "unix":
		return dialable(addr)
	case secured:
		return "https://" + dialable(addr)
	default:
		return "http://" + dialable(addr)
	}
}

// isUnheard reports whether an error means that the program could not listen on an
// address.
func isUnheard(err error) bool { return len(unheardOf(err)) > 0 }

// unheardOf returns the errors of failed attempts to listen that an error wraps.
func unheardOf(err error) (failures []*net.OpError) {
	switch wrapping := err.(type) {
	case *net.OpError:
		if wrapping.Op == "listen" {
			failures = append(failures, wrapping)
		}
	case interface{ Unwrap() error }:
		return unheardOf(wrapping.Unwrap())
	case interface{ Unwrap() []error }:
		for _, each := range wrapping.Unwrap() {
			failures = append(failures, unheardOf(each)...)
		}
	}
	return failures
}

// unheard converts errors of failed attempts to listen to messages for people. program is
// what may already use the port.
func unheard(program string, err error) error {
	failures, taken := unheardOf(err), 0
	if len(failures) == 0 {
		return err
	}
	text := err.Error()
	for _, op := range failures {
		where, why := "", op.Err
		if op.Addr != nil {
			where = " on " + op.Addr.String()
		}
		if errno, ok := errors.AsType[syscall.Errno](op.Err); ok && op.Addr != nil {
			why = errno
		}
		text = strings.Replace(text, op.Error(), fmt.Sprintf("cannot listen%s: %v", where, why), 1)
		if errors.Is(op, syscall.EADDRINUSE) {
			taken++
		}
	}
	switch {
	case taken > 1:
		text += "\n(another " + program + "?) Give other ports, or 0 for any that are free"
	case taken == 1:
		text += " (another " + program + "?); give another port, or 0 for any that is free"
	}
	return &explained{err, text}
}
