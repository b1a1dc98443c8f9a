package rig

import (
	"bytes"
	"io"
	"net"
	"strconv"
	"testing"
)

// QuickResponse is the body of every response of a quick upstream.
const QuickResponse = `{"id":"0d1c8b9e-54e6-4c3a-8f0a-2f7f1f3d9c11","name":"CRM","description":null,` +
	`"base_url":"https://crm.example.com/api","auth_type":"API_KEY","auth_key":"k-123456","headers":{"X-Team":"blue"},` +
	`"integration_type":"HTTP","requires_setup":false,"source_integration_template_id":"3c90c3cc-0d44-4b50-8888-8dd25736052a",` +
	`"created_at":"2026-02-03T04:05:06.123456Z","updated_at":"2026-02-03T04:05:06.123456Z"}`

// ServeQuick starts an upstream that responds to every copy, and to every request
// without a body, at once. It allocates nothing doing so: what a benchmark counts is
// its client's. It ends with the test.
func ServeQuick(tb testing.TB) (url string) {
	tb.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = ln.Close() })
	rest := "\r\nContent-Type: application/json\r\nContent-Length: " + strconv.Itoa(len(QuickResponse)) + "\r\n\r\n" + QuickResponse
	created, read := []byte("HTTP/1.1 201 Created"+rest), []byte("HTTP/1.1 200 OK"+rest)
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go serveQuick(c, created, read)
		}
	}()
	return "http://" + ln.Addr().String()
}

// serveQuick responds until the client leaves.
func serveQuick(c io.ReadWriteCloser, created, read []byte) {
	defer func() { _ = c.Close() }()
	buf := make([]byte, 64<<10)
	for n := 0; ; {
		m, err := c.Read(buf[n:])
		if err != nil {
			return
		}
		// A request ends with its body's last brace, or with its header.
		response := created
		if n += m; buf[n-1] != '}' {
			if response = read; !bytes.HasPrefix(buf, []byte("GET ")) || !bytes.HasSuffix(buf[:n], []byte("\r\n\r\n")) {
				continue
			}
		}
		if _, err := c.Write(response); err != nil {
			return
		}
		n = 0
	}
}
