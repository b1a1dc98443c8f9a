package soak

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// line is the way from digate to the vendor: a proxy of bare sockets that reads
// just enough of what it carries to know whose call it is, and then does what
// the script says.
type line struct {
	script *script
	addr   string
	vendor string
	certs  *certificates // nil for plain TCP

	mu       sync.Mutex
	ln       net.Listener // nil while the vendor is away
	open     map[net.Conn]bool
	attempts map[int]int
	ordinal  int
	live     bool // connections meet their faults
	ended    bool
	wg       sync.WaitGroup
	down     chan struct{} // closed with the line

	restarting sync.Mutex
}

// newLine returns a line to the vendor, listening. Its port lies outside the
// range that the kernel takes for outgoing connections, so that nobody else has
// it while a restart lasts.
func newLine(s *script, vendor string, certs *certificates) (*line, error) {
	l := &line{
		script: s, vendor: vendor, certs: certs,
		open: make(map[net.Conn]bool), attempts: make(map[int]int), down: make(chan struct{}),
	}
	r := s.rand(ofConnection, -1, 0)
	var err error
	for range 100 {
		l.addr = fmt.Sprintf("127.0.0.1:%d", 12000+r.IntN(20000))
		if err = l.listen(); err == nil {
			return l, nil
		}
	}
	return nil, err
}

func (l *line) listen() error {
	ln, err := net.Listen("tcp", l.addr)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return ln.Close()
	}
	l.ln = ln
	l.wg.Go(func() { l.accept(ln) })
	return nil
}

// begin lets connections meet their faults from now on.
func (l *line) begin() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.live = true
}

func (l *line) accept(ln net.Listener) {
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		l.mu.Lock()
		f := fault{}
		if l.live {
			f = l.script.connection(l.ordinal)
			l.ordinal++
		}
		l.mu.Unlock()
		if !l.add(c) {
			continue
		}
		l.wg.Go(func() {
			defer l.remove(c)
			l.serve(c, f)
		})
	}
}

// add takes a connection among those that a restart resets.
func (l *line) add(c net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ln == nil {
		reset(c)
		return false
	}
	l.open[c] = true
	return true
}

func (l *line) remove(c net.Conn) {
	_ = c.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open, c)
}

// cut ends the listener and every connection.
func (l *line) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ln != nil {
		_ = l.ln.Close()
		l.ln = nil
	}
	for c := range l.open {
		reset(c)
	}
}

// restart takes the vendor away for a while, and lets it be there for as long
// before the next restart begins.
func (l *line) restart(away time.Duration) error {
	l.restarting.Lock()
	defer l.restarting.Unlock()
	l.cut()
	if !l.pause(away) {
		return nil
	}
	if err := l.listen(); err != nil {
		return err
	}
	l.pause(away)
	return nil
}

// close ends the line. It may be called more than once.
func (l *line) close() {
	l.mu.Lock()
	if !l.ended {
		l.ended = true
		close(l.down)
	}
	l.mu.Unlock()
	l.cut()
	l.wg.Wait()
}

// pause waits, and says whether the line is still there.
func (l *line) pause(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-l.down:
		return false
	}
}

// attempt is what happens to the next attempt of the call.
func (l *line) attempt(call int) (fault, int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.attempts[call]
	l.attempts[call]++
	return l.script.attempt(call, n), n
}

// requests is how many requests came.
func (l *line) requests() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, attempts := range l.attempts {
		n += attempts
	}
	return n
}

// idle says whether no connection is open.
func (l *line) idle() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.open) == 0
}

// reset ends a connection in the hard way.
func reset(c net.Conn) {
	if tc, ok := c.(*tls.Conn); ok {
		c = tc.NetConn()
	}
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}

// end closes in order, or resets.
func end(c net.Conn, fin bool) {
	if !fin {
		reset(c)
		return
	}
	_ = c.Close()
}

// serve carries one connection of digate's.
func (l *line) serve(c net.Conn, f fault) {
	switch f.kind {
	case resetAccept:
		reset(c)
		return
	case silentAccept:
		<-l.down
		return
	}
	if l.certs != nil {
		var ok bool
		if c, ok = l.handshake(c, f); !ok {
			return
		}
	}
	up, err := net.Dial("tcp", l.vendor)
	if err != nil {
		return
	}
	if !l.add(up) {
		return
	}
	defer l.remove(up)
	from := bufio.NewReaderSize(c, 4<<10)
	for l.exchange(c, from, up) {
	}
	_ = c.Close() // with TLS's goodbye, which remove does not know of
}

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
