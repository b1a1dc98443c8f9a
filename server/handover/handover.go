// Package handover waits until a gRPC server has begun with each connection that was
// accepted for it.
package handover

import (
	"net"
	"sync"

	"google.golang.org/grpc/credentials"
)

// Handover counts the connections that were accepted for a gRPC server and that it did
// not begin with. grpc-go closes those that it finds when it is told to stop: their
// clients, which were connected, would lose a call by it.
type Handover struct{ under sync.WaitGroup }

// Wait returns when the server has begun with each connection. It must be called after the
// listener was closed.
func (h *Handover) Wait() { h.under.Wait() }

// Listen returns a listener that counts the connections that it accepts. Its server must
// have [Credentials].
func (h *Handover) Listen(ln net.Listener) net.Listener { return listener{ln, h} }

type listener struct {
	net.Listener
	handover *Handover
}

// Accept implements [net.Listener].
func (l listener) Accept() (net.Conn, error) {
	accepted, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.handover.under.Add(1)
	return &conn{accepted, sync.OnceFunc(l.handover.under.Done)}, nil
}

// conn is a connection until its server begins with it.
type conn struct {
	net.Conn
	taken func()
}

// Close closes a connection that its server does not want.
func (c *conn) Close() error {
	c.taken()
	return c.Conn.Close()
}

// Credentials returns the credentials of the server that takes the connections. It gets
// them as they were accepted.
func Credentials(of credentials.TransportCredentials) credentials.TransportCredentials {
	return takingCredentials{of}
}

type takingCredentials struct {
	credentials.TransportCredentials
}

// ServerHandshake is what a server begins with.
func (c takingCredentials) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	if handed, ok := raw.(*conn); ok {
		raw = handed.Conn
		defer handed.taken()
	}
	return c.TransportCredentials.ServerHandshake(raw)
}

// Clone implements [credentials.TransportCredentials].
func (c takingCredentials) Clone() credentials.TransportCredentials {
	return takingCredentials{c.TransportCredentials.Clone()}
}
