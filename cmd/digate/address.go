package main

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"

	"github.com/digate/digate/server/socket"
)

// dialable returns a listener's address as a client on this machine dials it.
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

// httpURL returns the URL of a listener that speaks HTTP, with TLS or without.
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

// unheard puts the error of an address on which nobody can listen into words for
// people. program is who may have a port that is taken.
func unheard(program string, err error) error {
	op, ok := errors.AsType[*net.OpError](err)
	if !ok || op.Op != "listen" {
		return err
	}
	where, why := "", op.Err
	if op.Addr != nil {
		where = " on " + op.Addr.String()
	}
	if errno, ok := errors.AsType[syscall.Errno](op.Err); ok && op.Addr != nil {
		why = errno
	}
	text := strings.Replace(err.Error(), op.Error(), fmt.Sprintf("cannot listen%s: %v", where, why), 1)
	if errors.Is(err, syscall.EADDRINUSE) {
		text += " (another " + program + "?); give another port, or 0 for any that is free"
	}
	return &explained{err, text}
}
