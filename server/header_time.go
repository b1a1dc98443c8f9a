package server

import (
	"net"
	"time"
)

// headerTimeListener accepts connections in plain text whose first request has the time
// of a header from its first byte on, as later requests have.
//
// net/http counts the time of the first header from when the connection was accepted. A
// client may open a connection and use it a while later; and of a first request, the
// first bytes are read by themselves, to tell HTTP/2 from HTTP/1. If the time is over
// just then, net/http takes what it has for the whole of a line, and responds that the
// request is malformed (400, without a verdict).
type headerTimeListener struct {
	net.Listener
	timeout time.Duration
}

func (l *headerTimeListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &headerTimeConn{Conn: c, timeout: l.timeout}, nil
}

// headerTimeConn has one reader at a time.
type headerTimeConn struct {
	net.Conn
	timeout time.Duration
	begun   bool
}

func (c *headerTimeConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 && !c.begun {
		c.begun = true
		if failed := c.SetReadDeadline(time.Now().Add(c.timeout)); err == nil {
			err = failed
		}
	}
	return n, err
}
