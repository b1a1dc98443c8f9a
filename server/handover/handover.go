// Package handover tracks accepted connections until the gRPC server begins to serve
// them, so that a stop loses none.
package handover

import (
	"net"
	"sync"

	"google.golang.org/grpc/credentials"
)

// Handover counts the connections that were accepted for a gRPC server and that it does
// not serve yet. When grpc-go is stopped, it closes such connections, and their clients,
// which were connected, would lose a call.
type Handover struct{ under sync.WaitGroup }

// Wait returns when the server has begun to serve each connection. It must be called
// after the listener was closed.
func (h *Handover) Wait() { h.under.Wait() }

// Listen returns a listener that counts its accepted connections. Its server must use
// [Credentials].
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

// conn is a connection that its server does not serve yet.
type conn struct {
	net.Conn
	taken func()
}

// Close closes a connection that its server refuses.
func (c *conn) Close() error {
	c.taken()
	return c.Conn.Close()
}

// Credentials returns the credentials for the server. They give it the connections in
// their original form.
func Credentials(of credentials.TransportCredentials) credentials.TransportCredentials {
	return takingCredentials{of}
}

type takingCredentials struct {
	credentials.TransportCredentials
}

// ServerHandshake implements [credentials.TransportCredentials]. It is the first thing
// that a server does with a connection.
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
