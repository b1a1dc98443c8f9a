package upstream

import (
	"io"
	"net"
	"sync"
	"testing"

	"github.com/digate/digate/server/exchange"
)

// An upstream that responds to each request twice leaves a response for whoever uses
// the connection next. Nobody may take it for his own.
func TestCall_ResponseThatWasThereBeforeTheRequest_IsNobodys(t *testing.T) {
	var mu sync.Mutex
	made := 0
	v := newUpstream(t, nil, func(c net.Conn, _ string) bool {
		mu.Lock()
		made++
		mu.Unlock()
		_, err := io.WriteString(c, ok201("", wholeResponse)+"HTTP/1.1 404 Not Found\r\nContent-Length: 72\r\n\r\n"+
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
		t.Error("the upstream saw nothing; this test shows nothing")
	}
}
