//go:build !unix

package wire

import "net"

// canCheck reports whether this system tells if anything has arrived on a connection,
// without waiting for it.
const canCheck = false

type silenceCheck struct{}

func (*silenceCheck) of(net.Conn) error { return nil }

func (*silenceCheck) quiet() bool { return false }
