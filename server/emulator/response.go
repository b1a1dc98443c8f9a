package emulator

import (
	"context"
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// delivery is how a response reaches its caller.
type delivery int

const (
	whole     delivery = iota
	dripping           // in small pieces, over Options.Drip
	truncated          // half of the body that Content-Length announces, then the end
	reset              // no response: the connection is reset
	hanging            // no response: the connection stays open until either side gives up
)

// response is one HTTP response. Its body is value as JSON if value is set, and raw otherwise.
type response struct {
	status      int
	value       object
	raw         []byte
	contentType string // application/json when empty
	header      [][2]string
	delivery    delivery

	// What decided on the response, for the journal.
	fault, rule string
	delay       time.Duration // besides the latency
}

// jsonResponse returns a response with a JSON object.
func jsonResponse(status int, value object) response { return response{status: status, value: value} }

// refusal returns an error in Diga's envelope.
func refusal(status int, code, message string) response {
	return jsonResponse(status, object{{"status", "error"}, {"error_code", code}, {"message", message}})
}

// detail returns an error in the form of FastAPI itself.
func detail(status int, text string) response { return jsonResponse(status, object{{"detail", text}}) }

// crash returns the response to an unhandled exception.
func crash() response {
	return response{status: 500, raw: []byte("Internal Server Error"), contentType: "text/plain; charset=utf-8"}
}

func (r response) failed() bool { return r.status < 200 || r.status > 299 }

func (r response) with(name, value string) response {
	r.header = append(slices.Clip(r.header), [2]string{name, value})
	return r
}

// deliver sends the response. If the response must not be completed, deliver panics with
// http.ErrAbortHandler, and net/http closes the connection.
func (e *Emulator) deliver(w http.ResponseWriter, r *http.Request, resp response) {
	switch resp.delivery {
	case reset:
		resetConnection(w)
		return
	case hanging:
		e.hang(r.Context())
		panic(http.ErrAbortHandler)
	}
	body := resp.raw
	if resp.value != nil {
		var err error
		if body, err = appendJSON(nil, resp.value); err != nil {
			resp = crash()
			body = resp.raw
		}
	}
	h := w.Header()
	switch {
	case resp.contentType != "":
		h.Set("Content-Type", resp.contentType)
	case resp.status != http.StatusTemporaryRedirect:
		h.Set("Content-Type", "application/json")
	}
	for _, pair := range resp.header {
		h.Set(pair[0], pair[1])
	}
	if resp.status != http.StatusNoContent {
		h.Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(resp.status)
	switch resp.delivery {
	case whole:
		_, _ = w.Write(body)
	case truncated:
		// Fewer bytes than announced make net/http close the connection.
		_, _ = w.Write(body[:len(body)/2])
	case dripping:
		e.drip(w, r, body)
	}
}

// dripPiece is the number of bytes of a slow response that arrive at a time.
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

// wait waits for d. It reports whether the caller is still there and the emulator not closed.
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

// resetConnection makes the caller see a TCP reset. If the connection cannot be taken over (HTTP/2), it
// resets the stream.
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
