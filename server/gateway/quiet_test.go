package gateway_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/status"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/gateway"
)

// Over HTTP/2, a write deadline resets a stream even if nothing waits to be written. None
// holds while a copy takes its time: before the first line, and between lines.
func TestBulk_ItemsSlowerThanTheStallTime_EveryLineArrivesOverHTTP2(t *testing.T) {
	const timeout = time.Second
	synctest.Test(t, func(t *testing.T) {
		h, _ := newHandler(t, each(func(id string) *integrationv1.BulkCopyTemplateResponse {
			time.Sleep(10 * timeout) // what a copy takes
			return done(id, "")
		}), func(cfg *gateway.Config) { cfg.Stall = timeout })
		var h2 http.Protocols
		h2.SetUnencryptedHTTP2(true)
		near, far := net.Pipe()
		server := &http.Server{Handler: h, ReadTimeout: timeout, WriteTimeout: timeout, Protocols: &h2}
		go func() { _ = server.Serve(&oneConn{conn: far, closed: make(chan struct{})}) }()
		defer func() { _ = server.Close() }()
		transport := &http.Transport{
			Protocols:   &h2,
			DialContext: func(context.Context, string, string) (net.Conn, error) { return near, nil },
		}
		defer transport.CloseIdleConnections()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://x"+gateway.BulkPath, strings.NewReader(bodyOf(3)))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := transport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		if got := linesOf(t, resp.Body); len(got) != 4 || !strings.Contains(got[3], `"done":3`) {
			t.Errorf("%d lines, want 3 and the summary: %q", len(got), got)
		}
		_ = resp.Body.Close()
	})
}

// A service that received an item may have begun it. The error of a context has no
// details, and that is no proof that nothing was sent.
func TestBulk_EndsWithTheContextAfterAnItem_IsUnknown(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	h, failed := newHandler(t, &service{bulk: func(stream bulkStream) error {
		if _, err := stream.Recv(); err != nil {
			return err
		}
		cancel()
		return stream.Send(done("r1", "")) // of a stream that is over
	}})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodPost, gateway.BulkPath, strings.NewReader(bodyOf(2))))
	if got := w.Body.String(); strings.Contains(got, "NOT_SENT") || !strings.Contains(got, `"outcome":"UNKNOWN"`) {
		t.Errorf("got %s, want UNKNOWN", got)
	}
	if all := failed.all(); len(all) != 1 || len(status.Convert(all[0].err).Details()) > 0 {
		t.Errorf("failed with %v, want the error of the stream", all)
	}
}
