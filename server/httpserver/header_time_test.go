package httpserver

import (
	"bufio"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// piped is a listener of connections within the process.
type piped chan net.Conn

func (p piped) Accept() (net.Conn, error) {
	c, ok := <-p
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}
func (p piped) Close() error   { return nil }
func (p piped) Addr() net.Addr { return &net.TCPAddr{} }

// A client may open a connection and use it when its time is nearly over.
func TestServePlain_ConnectionUsedLate_HasTheTimeOfAHeaderFromItsFirstByte(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		first, rest time.Duration // when these parts of the request are sent
		want        string
	}{
		"at once":               {0, 0, "200 OK"},
		"late":                  {4900 * time.Millisecond, 5100 * time.Millisecond, "200 OK"},
		"late and slowly":       {4900 * time.Millisecond, 9800 * time.Millisecond, "200 OK"},
		"late and too slowly":   {4900 * time.Millisecond, 10 * time.Second, ""},
		"at once, and too slow": {0, 5100 * time.Millisecond, ""},
		"too late":              {5100 * time.Millisecond, 5100 * time.Millisecond, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				accept := make(piped, 1)
				protocols := new(http.Protocols)
				protocols.SetHTTP1(true)
				protocols.SetUnencryptedHTTP2(true)
				srv := New(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), Limits{ReadTimeout: time.Minute}, slog.DiscardHandler)
				srv.Protocols = protocols
				ended := make(chan error, 1)
				go func() { ended <- srv.ServePlain(accept) }()
				client, conn := net.Pipe()
				accept <- conn
				began := time.Now()
				var sending sync.WaitGroup
				sending.Go(func() {
					time.Sleep(c.first)
					_, _ = io.WriteString(client, "POST /v1/integ")
					time.Sleep(c.rest - time.Since(began))
					_, _ = io.WriteString(client, "ration HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
				})
				got := ""
				if resp, err := http.ReadResponse(bufio.NewReader(client), nil); err == nil {
					got = resp.Status
				}
				if c.want != "" && got != c.want || c.want == "" && got == "200 OK" {
					t.Errorf("got %q, want %q", got, c.want)
				}
				_ = client.Close()
				sending.Wait()
				close(accept)
				if err := <-ended; !errors.Is(err, net.ErrClosed) {
					t.Error(err)
				}
				_ = srv.Close()
			})
		})
	}
}
