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

// sent is one request as the upstream received it.
type sent struct {
	line   string // "POST /v1/… HTTP/1.1"
	header http.Header
	body   string
}

// script responds to a request on its connection and reports whether the
// connection may take another request.
type script func(c net.Conn, r sent) (keep bool)

// scripted is an upstream that responds by its script and records every request
// to the byte.
type scripted struct {
	ln     net.Listener
	mu     sync.Mutex
	script script
	got    []sent
	conns  map[net.Conn]bool
	wg     sync.WaitGroup
}

func newScripted(t *testing.T) *scripted {
	t.Helper()
	up := &scripted{ln: listen(t), conns: make(map[net.Conn]bool)}
	up.wg.Go(up.accept)
	t.Cleanup(up.close)
	return up
}

func (up *scripted) url() string { return "http://" + up.ln.Addr().String() }

func (up *scripted) accept() {
	for {
		c, err := up.ln.Accept()
		if err != nil {
			return
		}
		up.mu.Lock()
		up.conns[c] = true
		up.mu.Unlock()
		up.wg.Go(func() { up.serve(c) })
	}
}

func (up *scripted) serve(c net.Conn) {
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
		up.mu.Lock()
		up.got = append(up.got, req)
		script := up.script
		up.mu.Unlock()
		if !script(c, req) {
			return
		}
	}
}

// oneByte reads one byte at a time, so that the request parser does not read past
// the end of a request.
type oneByte struct{ r io.Reader }

func (o oneByte) Read(p []byte) (int, error) { return o.r.Read(p[:min(1, len(p))]) }

func (up *scripted) close() {
	_ = up.ln.Close()
	up.mu.Lock()
	for c := range up.conns {
		_ = c.Close()
	}
	up.mu.Unlock()
	up.wg.Wait()
}

// will sets the script and forgets the requests received so far.
func (up *scripted) will(s script) {
	up.mu.Lock()
	defer up.mu.Unlock()
	up.script, up.got = s, nil
}

func (up *scripted) received() []sent {
	up.mu.Lock()
	defer up.mu.Unlock()
	return append([]sent(nil), up.got...)
}

// none fails the test if the upstream received a request.
func (up *scripted) none(t *testing.T) {
	t.Helper()
	if got := up.received(); len(got) != 0 {
		t.Errorf("Diga received %v", got)
	}
}

// one returns the only request that the upstream received. It fails the test
// unless there was exactly one.
func (up *scripted) one(t *testing.T) sent {
	t.Helper()
	got := up.received()
	if len(got) != 1 {
		t.Fatalf("Diga received %d requests, want exactly 1: %v", len(got), got)
	}
	return got[0]
}

// respond returns a script that sends a whole response.
func respond(status int, header map[string]string, body string) script {
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

// raw returns a script that writes the text and then closes the connection, or
// resets it.
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
