package emulator

import (
	"context"
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// delivery is how an answer reaches its caller.
type delivery int

const (
	whole     delivery = iota
	dripping           // in small pieces, over Options.Drip
	truncated          // half of the body that Content-Length announces, then the end
	reset              // no answer: the connection is reset
	hanging            // no answer: the connection stays open until either side gives up
)

// answer is what Diga says. The body is value rendered as JSON, or else raw.
type answer struct {
	status      int
	value       object
	raw         []byte
	contentType string // application/json when empty
	header      [][2]string
	delivery    delivery
}

// jsonAnswer is an answer with a JSON object.
func jsonAnswer(status int, value object) answer { return answer{status: status, value: value} }

// refusal is an error in Diga's envelope.
func refusal(status int, code, message string) answer {
	return jsonAnswer(status, object{{"status", "error"}, {"error_code", code}, {"message", message}})
}

// detail is an error as FastAPI itself words it.
func detail(status int, text string) answer { return jsonAnswer(status, object{{"detail", text}}) }

// crash is what an unhandled exception becomes.
func crash() answer {
	return answer{status: 500, raw: []byte("Internal Server Error"), contentType: "text/plain; charset=utf-8"}
}

func (a answer) failed() bool { return a.status < 200 || a.status > 299 }

func (a answer) with(name, value string) answer {
	a.header = append(slices.Clip(a.header), [2]string{name, value})
	return a
}

// deliver sends the answer. It panics with http.ErrAbortHandler, which net/http takes for a closed
// connection, where the answer must not be completed.
func (e *Emulator) deliver(w http.ResponseWriter, r *http.Request, a answer) {
	switch a.delivery {
	case reset:
		resetConnection(w)
		return
	case hanging:
		e.hang(r.Context())
		panic(http.ErrAbortHandler)
	}
	body := a.raw
	if a.value != nil {
		var err error
		if body, err = appendJSON(nil, a.value); err != nil {
			a = crash()
			body = a.raw
		}
	}
	h := w.Header()
	switch {
	case a.contentType != "":
		h.Set("Content-Type", a.contentType)
	case a.status != http.StatusTemporaryRedirect:
		h.Set("Content-Type", "application/json")
	}
	for _, pair := range a.header {
		h.Set(pair[0], pair[1])
	}
	if a.status != http.StatusNoContent {
		h.Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(a.status)
	switch a.delivery {
	case whole:
		_, _ = w.Write(body)
	case truncated:
		// Fewer bytes than announced make net/http close the connection.
		_, _ = w.Write(body[:len(body)/2])
	case dripping:
		e.drip(w, r, body)
	}
}

// dripPiece is the number of bytes of a slow answer that arrive at a time.
const dripPiece = 16

func (e *Emulator) drip(w http.ResponseWriter, r *http.Request, body []byte) {
	pieces := (len(body) + dripPiece - 1) / dripPiece
	for len(body) > 0 {
		if !e.wait(r.Context(), e.options.Drip/time.Duration(pieces)) {
			panic(http.ErrAbortHandler)
		}
		n := min(dripPiece, len(body))
		if _, err := w.Write(body[:n]); err != nil {
			panic(http.ErrAbortHandler)
		}
		if err := http.NewResponseController(w).Flush(); err != nil {
			panic(http.ErrAbortHandler)
		}
		body = body[n:]
	}
}

// wait lets the time pass; false means that the caller left or the emulator was closed meanwhile.
func (e *Emulator) wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
	case <-e.closed:
	}
	return false
}

func (e *Emulator) hang(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-e.closed:
	}
}

// resetConnection makes the caller see a TCP reset. Where the connection cannot be taken over
// (HTTP/2), the stream is reset instead.
func resetConnection(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	under := conn
	if t, ok := conn.(interface{ NetConn() net.Conn }); ok { // TLS
		under = t.NetConn()
	}
	if tcp, ok := under.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = under.Close()
}
