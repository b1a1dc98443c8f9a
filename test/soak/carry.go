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

// request is the head of a request as it came.
type request struct {
	head   []byte
	length int64
	call   int
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
			if req.call, err = callOf(text); err != nil {
				return req, err
			}
		case text == "":
			return req, nil
		case strings.EqualFold(name, "Content-Length"):
			if req.length, err = strconv.ParseInt(strings.TrimSpace(value), 10, 64); err != nil {
				return req, err
			}
		}
	}
}

// exchange carries one request and its answer, and says whether the connection
// may take another.
func (l *line) exchange(c net.Conn, from *bufio.Reader, up net.Conn) bool {
	req, err := readHead(from)
	if err != nil {
		return false
	}
	f, attempt := l.attempt(req.call)
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
	sent := append(fmt.Appendf(req.head[:end:end], "%s: %d\r\n\r\n", attemptHeader, attempt), body...)
	if !l.send(up, sent, f) {
		return false
	}
	answer, err := readAnswer(up)
	if err != nil {
		return false
	}
	return l.answer(c, from, answer, f)
}

// answer brings back the vendor's answer, or what becomes of it.
func (l *line) answer(c net.Conn, from io.Reader, answer []byte, f fault) bool {
	switch f.kind {
	case resetAfter:
		reset(c)
		return false
	case silentAfter:
		_, _ = io.Copy(io.Discard, from)
		return false
	case truncated:
		if f.bare {
			answer = withoutLength(answer)
		}
		l.send(c, answer[:len(answer)*f.cut/1000], f)
		end(c, f.fin)
		return false
	case pageAfter:
		return l.send(c, page(f.status), f)
	case garbage:
		l.send(c, []byte("\x00\x01 what was asked for is done \xff\r\n\r\n"), f)
		end(c, f.fin)
		return false
	case saidTwice:
		// In one piece: a second answer that comes after the next request is one
		// that nobody could tell from its answer.
		if len(answer) <= atOneTime {
			answer = append(answer, answer...)
		}
		return l.send(c, answer, f)
	case closesIdle:
		l.send(c, answer, f)
		l.pause(f.wait)
		end(c, f.fin)
		return false
	case latency:
		if !l.pause(f.wait) {
			return false
		}
	}
	return l.send(c, answer, f)
}

// send writes, at the fault's rate where it has to do with one.
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

// atOneTime is the size up to which an answer and its repetition are read
// together, in bytes.
const atOneTime = 2000

// readAnswer reads one answer of the vendor's, byte for byte.
func readAnswer(up net.Conn) ([]byte, error) {
	var raw bytes.Buffer
	resp, err := http.ReadResponse(bufio.NewReader(io.TeeReader(up, &raw)), nil)
	if err != nil {
		return nil, err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return raw.Bytes(), errors.Join(err, resp.Body.Close())
}

// withoutLength turns an answer into one that ends with its connection.
func withoutLength(answer []byte) []byte {
	head, body, _ := bytes.Cut(answer, []byte("\r\n\r\n"))
	var out []byte
	for line := range bytes.SplitSeq(head, []byte("\r\n")) {
		if !bytes.HasPrefix(bytes.ToLower(line), []byte("content-length:")) {
			out = append(append(out, line...), "\r\n"...)
		}
	}
	return append(append(out, "Connection: close\r\n\r\n"...), body...)
}

// page is what a proxy says for itself.
func page(status int) []byte {
	body := fmt.Sprintf("<html><head><title>%d</title></head><body><h1>%d</h1><hr>proxy</body></html>\r\n", status, status)
	return fmt.Appendf(nil, "HTTP/1.1 %d %s\r\nServer: proxy\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%s",
		status, http.StatusText(status), len(body), body)
}
