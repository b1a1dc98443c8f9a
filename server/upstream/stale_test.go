package upstream

import (
	"io"
	"net"
	"net/http/httptrace"
	"sync"
	"testing"
	"time"

	"github.com/digate/digate/server/exchange"
)

// A vendor that answers each request twice leaves an answer for whoever uses
// the connection next. Nobody may take it for his own.
func TestCall_AnswerThatWasThereBeforeTheRequest_IsNobodys(t *testing.T) {
	var mu sync.Mutex
	made := 0
	v := newVendor(t, nil, func(c net.Conn, _ string) bool {
		mu.Lock()
		made++
		mu.Unlock()
		_, err := io.WriteString(c, ok201("", wholeAnswer)+"HTTP/1.1 404 Not Found\r\nContent-Length: 72\r\n\r\n"+
			`{"status":"error","error_code":"INTEGRATION_TEMPLATE_NOT_FOUND","message":""}`[:72])
		return err == nil
	})
	c := newClient(t, v.url())
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				if r := copyOne(t.Context(), c); r.ex.Outcome == exchange.Rejected {
					t.Errorf("a copy that was made is told as rejected: %v", r.err)
				}
			}
		})
	}
	wg.Wait()
	mu.Lock()
	defer mu.Unlock()
	if made == 0 {
		t.Error("the vendor saw nothing; this test shows nothing")
	}
}

func TestTracker_AnswerBeforeTheRequest_IsStaleAndEndsTheConnection(t *testing.T) {
	cc, peer := pair(t)
	read := func() {
		t.Helper()
		_, _ = io.WriteString(peer, "x")
		_ = cc.SetReadDeadline(time.Now().Add(10 * time.Second))
		if _, err := cc.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
	}
	read()
	track := newTracker()
	track.gotConn(gotConnInfo(cc))
	read()
	if track.stale() {
		t.Error("an answer that came after the request is called stale")
	}
	track = newTracker()
	track.gotConn(gotConnInfo(cc))
	if !track.stale() {
		t.Error("an answer that was there before the request is not noticed")
	}
	if _, err := cc.Write([]byte("x")); err == nil {
		t.Error("the connection is still open")
	}
}

func gotConnInfo(c net.Conn) httptrace.GotConnInfo { return httptrace.GotConnInfo{Conn: c} }
