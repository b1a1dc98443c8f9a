package server_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"

	"google.golang.org/protobuf/types/known/structpb"
)

// sent is one request as the vendor received it.
type sent struct {
	line   string // "POST /v1/… HTTP/1.1"
	header http.Header
	body   string
}

// script answers a request on its connection and says whether the connection
// may take another.
type script func(c net.Conn, r sent) (keep bool)

// scripted is a vendor that answers as it is told and records every request to
// the byte.
type scripted struct {
	ln     net.Listener
	mu     sync.Mutex
	answer script
	got    []sent
	conns  map[net.Conn]bool
	wg     sync.WaitGroup
}

func newScripted(t *testing.T) *scripted {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	v := &scripted{ln: ln, conns: make(map[net.Conn]bool)}
	v.wg.Go(v.accept)
	t.Cleanup(v.close)
	return v
}

func (v *scripted) url() string { return "http://" + v.ln.Addr().String() }

func (v *scripted) accept() {
	for {
		c, err := v.ln.Accept()
		if err != nil {
			return
		}
		v.mu.Lock()
		v.conns[c] = true
		v.mu.Unlock()
		v.wg.Go(func() { v.serve(c) })
	}
}

func (v *scripted) serve(c net.Conn) {
	defer func() { _ = c.Close() }()
	br := bufio.NewReader(c)
	for {
		var raw bytes.Buffer
		r, err := http.ReadRequest(bufio.NewReader(io.TeeReader(oneByte{br}, &raw)))
		if err != nil {
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		line, _, _ := bytes.Cut(raw.Bytes(), []byte("\r\n"))
		req := sent{line: string(line), header: r.Header, body: string(body)}
		v.mu.Lock()
		v.got = append(v.got, req)
		answer := v.answer
		v.mu.Unlock()
		if !answer(c, req) {
			return
		}
	}
}

// oneByte keeps the request parser from reading past a request's end.
type oneByte struct{ r io.Reader }

func (o oneByte) Read(p []byte) (int, error) { return o.r.Read(p[:min(1, len(p))]) }

func (v *scripted) close() {
	_ = v.ln.Close()
	v.mu.Lock()
	for c := range v.conns {
		_ = c.Close()
	}
	v.mu.Unlock()
	v.wg.Wait()
}

// will sets the script and forgets what was received.
func (v *scripted) will(s script) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.answer, v.got = s, nil
}

func (v *scripted) received() []sent {
	v.mu.Lock()
	defer v.mu.Unlock()
	return append([]sent(nil), v.got...)
}

// one returns the request that the vendor received, and fails the test unless
// it was exactly one.
func (v *scripted) one(t *testing.T) sent {
	t.Helper()
	got := v.received()
	if len(got) != 1 {
		t.Fatalf("the vendor received %d requests, want exactly 1: %v", len(got), got)
	}
	return got[0]
}

// answers returns a script that gives a whole answer.
func answers(status int, header map[string]string, body string) script {
	return func(c net.Conn, _ sent) bool {
		var b bytes.Buffer
		fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\n", status, http.StatusText(status))
		if _, ok := header["Content-Type"]; !ok {
			b.WriteString("Content-Type: application/json\r\n")
		}
		for k, v := range header {
			fmt.Fprintf(&b, "%s: %s\r\n", k, v)
		}
		if status >= 200 && status != 204 && status != 304 {
			fmt.Fprintf(&b, "Content-Length: %d\r\n", len(body))
		}
		b.WriteString("\r\n")
		b.WriteString(body)
		_, err := c.Write(b.Bytes())
		return err == nil && status != 101
	}
}

// raw returns a script that writes bytes and closes, or resets.
func raw(text string, rst bool) script {
	return func(c net.Conn, _ sent) bool {
		_, _ = io.WriteString(c, text)
		if rst {
			_ = c.(*net.TCPConn).SetLinger(0)
		}
		return false
	}
}

func structOf(k, v string) *structpb.Struct {
	return &structpb.Struct{Fields: map[string]*structpb.Value{k: structpb.NewStringValue(v)}}
}
