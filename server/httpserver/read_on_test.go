package httpserver

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"
)

// refusal is the response to a request that arrives on a connection.
type refusal struct {
	*httptest.ResponseRecorder
	conn net.Conn
}

func (w refusal) Status() int                       { return w.Code }
func (w refusal) SetReadDeadline(t time.Time) error { return w.conn.SetReadDeadline(t) }

// readRefused refuses a request whose body never ends, of which the client sends a KiB
// at a time. It returns how long the body was read, and how many KiB of it.
func readRefused(t *testing.T, pause time.Duration) (lasted time.Duration, kib int) {
	t.Helper()
	client, conn := net.Pipe()
	sent := make(chan int)
	go func() {
		chunk, n := make([]byte, 1<<10), 0
		for ; ; n++ {
			if _, err := client.Write(chunk); err != nil {
				break
			}
			time.Sleep(pause)
		}
		sent <- n
	}()
	refuse := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) })
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", io.NopCloser(conn))
	began := time.Now()
	ReadOn(refuse, 4<<10).ServeHTTP(refusal{httptest.NewRecorder(), conn}, r)
	lasted = time.Since(began)
	_ = conn.Close()
	return lasted, <-sent
}

func TestReadOn_RefusedClientThatSendsSlowly_IsReadOnFor10s(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		if got, _ := readRefused(t, 700*time.Millisecond); got != 10*time.Second {
			t.Errorf("its body was read for %v, want 10s", got)
		}
	})
}

func TestReadOn_RefusedClientThatSendsMuch_IsReadOnFor16TimesTheLargestRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		if _, got := readRefused(t, time.Millisecond); got != 16*4 {
			t.Errorf("%d KiB of its body were read, want 64", got)
		}
	})
}
