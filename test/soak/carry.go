package soak

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// request is the head of a request, as received.
type request struct {
	head   []byte
	length int64
	// line is the first line, and token the value of Authorization.
	line, token string
}

func readHead(r *bufio.Reader) (request, error) {
	var req request
	for {
		raw, err := r.ReadBytes('\n')
		if err != nil {
			return req, err
		}
		first := len(req.head) == 0
		req.head = append(req.head, raw...)
		text := strings.TrimSpace(string(raw))
		switch name, value, _ := strings.Cut(text, ":"); {
		case first:
			req.line = text
		case text == "":
			return req, nil
		case strings.EqualFold(name, "Authorization"):
			req.token = strings.TrimSpace(value)
		case strings.EqualFold(name, "Content-Length"):
			if req.length, err = strconv.ParseInt(strings.TrimSpace(value), 10, 64); err != nil {
				return req, err
			}
		}
	}
}

// exchange carries one request and its response, and reports whether the
// connection may take another.
func (l *line) exchange(c net.Conn, from *bufio.Reader, up net.Conn) bool {
	req, err := readHead(from)
	if err != nil {
		return false
	}
	key, err := l.script.keyOf(req)
	if err != nil {
		return false
	}
	f, attempt := l.attempt(key)
	switch f.kind {
	case resetBefore:
		_, _ = io.CopyN(io.Discard, from, req.length*int64(f.cut)/1000)
		reset(c)
		return false
	case silentBefore:
		_, _ = io.Copy(io.Discard, from)
		return false
	}
	body := make([]byte, req.length)
	if _, err := io.ReadFull(from, body); err != nil {
		return false
	}
	if f.kind == pageBefore {
		return l.send(c, page(f.status), f)
	}
	if f.kind == latency && !l.pause(f.wait) {
		return false
	}
	end := len(req.head) - 2
	sent := append(fmt.Appendf(req.head[:end:end], "%s: %d\r\n%s: %d\r\n\r\n", keyHeader, key, attemptHeader, attempt), body...)
	if !l.send(up, sent, f) {
		return false
	}
	response, err := readResponse(up)
	if err != nil {
		return false
	}
	return l.respond(c, from, response, f)
}

// respond sends the upstream's response back, spoilt by the fault.
func (l *line) respond(c net.Conn, from io.Reader, response []byte, f fault) bool {
	switch f.kind {
	case resetAfter:
		reset(c)
		return false
	case silentAfter:
		_, _ = io.Copy(io.Discard, from)
		return false
	case truncated:
		if f.bare {
			response = withoutLength(response)
		}
		l.send(c, response[:len(response)*f.cut/1000], f)
		end(c, f.fin)
		return false
	case pageAfter:
		return l.send(c, page(f.status), f)
	case garbage:
		l.send(c, []byte("\x00\x01 what was asked for is done \xff\r\n\r\n"), f)
		end(c, f.fin)
		return false
	case sentTwice:
		// In one piece: after the next request, digate could not tell the second
		// response from that request's own.
		if len(response) <= atOneTime {
			response = append(response, response...)
		}
		return l.send(c, response, f)
	case closesIdle:
		l.send(c, response, f)
		l.pause(f.wait)
		end(c, f.fin)
		return false
	case latency:
		if !l.pause(f.wait) {
			return false
		}
	}
	return l.send(c, response, f)
}

// send writes at the fault's rate, if it has one.
func (l *line) send(to net.Conn, p []byte, f fault) bool {
	if f.kind != bandwidth {
		_, err := to.Write(p)
		return err == nil
	}
	const often = 20 * time.Millisecond
	for len(p) > 0 {
		n := min(len(p), max(f.rate*int(often)/int(time.Second), 1))
		if _, err := to.Write(p[:n]); err != nil {
			return false
		}
		if p = p[n:]; !l.pause(often) {
			return false
		}
	}
	return true
}

// atOneTime is the size up to which a response and its repetition are read
// together, in bytes.
const atOneTime = 2000

// readResponse reads one response of the upstream, byte for byte.
func readResponse(up net.Conn) ([]byte, error) {
	var raw bytes.Buffer
	resp, err := http.ReadResponse(bufio.NewReader(io.TeeReader(up, &raw)), nil)
	if err != nil {
		return nil, err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return raw.Bytes(), errors.Join(err, resp.Body.Close())
}

// withoutLength turns a response into one that ends with its connection.
func withoutLength(response []byte) []byte {
	head, body, _ := bytes.Cut(response, []byte("\r\n\r\n"))
	var out []byte
	for line := range bytes.SplitSeq(head, []byte("\r\n")) {
		if !bytes.HasPrefix(bytes.ToLower(line), []byte("content-length:")) {
			out = append(append(out, line...), "\r\n"...)
		}
	}
	return append(append(out, "Connection: close\r\n\r\n"...), body...)
}

// page returns a response of a proxy's own.
func page(status int) []byte {
	body := fmt.Sprintf("<html><head><title>%d</title></head><body><h1>%d</h1><hr>proxy</body></html>\r\n", status, status)
	return fmt.Appendf(nil, "HTTP/1.1 %d %s\r\nServer: proxy\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%s",
		status, http.StatusText(status), len(body), body)
}
