// Package upstream stands in for Diga: it copies a template for each request, at
// once or after a delay, counts the requests and the connections, and looks at
// every byte of a request that its sender could have left out.
package upstream

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/digate/digate/bench/peers/internal/fixture"
)

// Upstream is a server of HTTP/1.1.
type Upstream struct {
	ln    net.Listener
	delay func() time.Duration

	connections, requests atomic.Int64
	fault                 atomic.Pointer[string]
	variables             sync.Map // texts that were checked
}

// Counts are what an upstream has counted.
type Counts struct {
	Connections, Requests int
	Fault                 string // of the first request that was not as it should be
}

// Listen starts an upstream, over TLS if there is a config. Each request takes as
// long as delay then returns.
func Listen(config *tls.Config, delay func() time.Duration) (*Upstream, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	if config != nil {
		ln = tls.NewListener(ln, config)
	}
	u := &Upstream{ln: ln, delay: delay}
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			u.connections.Add(1)
			go u.serve(conn)
		}
	}()
	return u, nil
}

// Addr returns the address.
func (u *Upstream) Addr() string { return u.ln.Addr().String() }

// Counts returns what was counted so far.
func (u *Upstream) Counts() Counts {
	c := Counts{Connections: int(u.connections.Load()), Requests: int(u.requests.Load())}
	if fault := u.fault.Load(); fault != nil {
		c.Fault = *fault
	}
	return c
}

// serve responds until the client leaves.
func (u *Upstream) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	r := bufio.NewReader(conn)
	var out, body []byte
	for {
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		u.requests.Add(1)
		n, err := u.read(req)
		if err != nil {
			fault := err.Error()
			u.fault.CompareAndSwap(nil, &fault)
			return
		}
		if d := u.delay(); d > 0 {
			time.Sleep(d)
		}
		body = fixture.AppendResponse(body[:0], n)
		out = append(out[:0], "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: "...)
		out = strconv.AppendInt(out, int64(len(body)), 10)
		out = append(append(out, "\r\n\r\n"...), body...)
		if _, err := conn.Write(out); err != nil {
			return
		}
	}
}

// read reads a request to its end and returns the number of the copy. It returns
// an error if something in the request is not as it should be.
func (u *Upstream) read(req *http.Request) (n int, err error) {
	body, err := io.ReadAll(req.Body)
	switch {
	case err != nil:
		return 0, err
	case req.Method != http.MethodPost || req.URL.Path != fixture.Path || req.URL.RawQuery != "":
		return 0, fmt.Errorf("%s %s", req.Method, req.URL)
	case req.Header.Get("Authorization") != fixture.Authorization:
		return 0, errors.New("the credential did not arrive")
	case req.Header.Get("Content-Type") != "application/json":
		return 0, fmt.Errorf("Content-Type: %q", req.Header.Get("Content-Type"))
	}
	n, variables, err := fixture.ParseBody(body)
	if err != nil || variables == "" {
		return n, err
	}
	if _, checked := u.variables.Load(variables); !checked {
		if err := fixture.CheckVariables(variables); err != nil {
			return 0, err
		}
		u.variables.Store(variables, true)
	}
	return n, nil
}
