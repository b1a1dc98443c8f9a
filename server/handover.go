package server

import (
	"net"
	"sync"

	"google.golang.org/grpc/credentials"
)

// handover counts the connections that were accepted for a gRPC server and that it did
// not begin with. grpc-go closes those that it finds when it is told to stop: their
// clients, which were connected, would lose a call by it.
type handover struct{ under sync.WaitGroup }

// handedListener counts the connections that it accepts.
type handedListener struct {
	net.Listener
	*handover
}

// Accept implements [net.Listener].
func (l handedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.under.Add(1)
	return &handedConn{conn, sync.OnceFunc(l.under.Done)}, nil
}

// handedConn is a connection until its server begins with it.
type handedConn struct {
	net.Conn
	taken func()
}

// Close closes a connection that its server does not want.
func (c *handedConn) Close() error {
	c.taken()
	return c.Conn.Close()
}

// takingCredentials are credentials of the server that takes the connections. It gets
// them as they were accepted.
type takingCredentials struct {
	credentials.TransportCredentials
}

// ServerHandshake is what a server begins with.
func (c takingCredentials) ServerHandshake(conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	if handed, ok := conn.(*handedConn); ok {
		conn = handed.Conn
		defer handed.taken()
	}
	return c.TransportCredentials.ServerHandshake(conn)
}

// Clone implements [credentials.TransportCredentials].
func (c takingCredentials) Clone() credentials.TransportCredentials {
	return takingCredentials{c.TransportCredentials.Clone()}
}
