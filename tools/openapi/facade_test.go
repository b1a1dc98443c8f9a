package openapi_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/digate/digate/server"
	"github.com/digate/digate/server/config"
	"github.com/digate/digate/server/emulator"
)

// client follows no redirect and asks for no encoding.
var client = &http.Client{
	Transport:     &http.Transport{DisableCompression: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// start runs digate in front of an upstream and returns the base URL of its REST side.
func start(t *testing.T, upstream string, change ...func(*config.Config)) string {
	t.Helper()
	cfg := config.Defaults()
	cfg.GRPCAddr, cfg.HTTPAddr, cfg.AdminAddr = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	cfg.Upstream.URL = upstream
	cfg.Upstream.MaxAttempts, cfg.Upstream.BreakerDelay = 1, 0 // each request is one to the upstream
	for _, f := range change {
		f(&cfg)
	}
	s, err := server.New(t.Context(), cfg, server.Options{Version: "test", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		client.CloseIdleConnections()
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return "http://" + s.HTTPAddr().String()
}

// emulate runs the emulator and returns its URL.
func emulate(t *testing.T) string {
	t.Helper()
	e := emulator.New(emulator.Options{})
	srv := httptest.NewServer(e)
	t.Cleanup(func() { e.Close(); srv.Close() })
	return srv.URL
}

// scripted is an upstream whose responses a test decides.
type scripted struct {
	*httptest.Server

	handler atomic.Pointer[http.HandlerFunc]
}

func newScripted(t *testing.T) *scripted {
	t.Helper()
	up := new(scripted)
	up.will(t, nil)
	up.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*up.handler.Load())(w, r) }))
	t.Cleanup(up.Close)
	return up
}

// will sets what the upstream does from now on. A nil handler fails the test: nothing
// may be sent.
func (up *scripted) will(t *testing.T, handler http.HandlerFunc) {
	t.Helper()
	if handler == nil {
		handler = func(_ http.ResponseWriter, r *http.Request) {
			t.Errorf("an unexpected request: %s %s", r.Method, r.URL)
			panic(http.ErrAbortHandler)
		}
	}
	up.handler.Store(&handler)
}

// respond returns a handler that responds in the same way to everything.
func respond(status int, contentType, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body)) // the caller may be gone
	}
}

// cut ends the connection without a response.
func cut(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
