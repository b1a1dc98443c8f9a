package httpserver

import (
	"net"
	"time"
)

// headerTimeListener accepts connections in plain text. It counts the time for the first
// header from its first byte, as net/http does for later ones.
//
// net/http counts the time for the first header from the accept, although a client may use
// its connection a while later. It reads the first bytes by themselves, to tell HTTP/2 from
// HTTP/1. If the time ends in between, it takes these bytes for a whole line, and responds
// that the request is malformed (400, without a verdict).
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

// headerTimeConn is such a connection. It has one reader at a time.
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
