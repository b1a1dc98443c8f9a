package httpserver

import (
	"net"
	"time"
)

// headerTimeListener accepts plain-text connections. It measures the time for the first
// header from its first byte, as net/http does for later ones.
//
// net/http measures the time for the first header from the accept, although a client may
// use its connection later. It reads the first bytes separately to distinguish HTTP/2
// from HTTP/1. If the time ends in between, it takes these bytes for a whole line, and
// responds that the request is malformed (400, without an outcome).
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

// headerTimeConn is a connection of a headerTimeListener. It has one reader at a time.
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
