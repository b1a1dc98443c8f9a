package upstream

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/digate/digate/server/exchange"
)

// closing is a body that notes that it was closed.
type closing struct {
	io.Reader
	closed bool
}

func (c *closing) Close() error { c.closed = true; return nil }

// What a call took it gives back at its end, whichever that is: a context holds its
// timer, and a body its connection.
func TestCall_AtItsEnd_ReleasesItsContextAndBody(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status int
		header http.Header
		body   string
	}{
		"a success":            {201, nil, wholeResponse},
		"a failure":            {500, nil, envelope},
		"no JSON":              {201, nil, "<html>"},
		"too large":            {201, nil, strings.Repeat("x", 1<<20)},
		"no gzip":              {201, http.Header{"Content-Encoding": {"gzip"}}, wholeResponse},
		"an unknown encoding":  {201, http.Header{"Content-Encoding": {"br"}}, wholeResponse},
		"gzip by its own word": {201, http.Header{"Content-Encoding": {"gzip"}}, gzipMagic + "cut"},
	} {
		body := &closing{Reader: strings.NewReader(c.body)}
		var sent context.Context
		client := newClientOf(t, func(r *http.Request) (*http.Response, error) {
			sent = r.Context()
			return &http.Response{
				StatusCode: c.status, Header: c.header, Body: body, ContentLength: int64(len(c.body)), ProtoMajor: 1, ProtoMinor: 1,
			}, nil
		}, func(cfg *Config) { cfg.MaxResponse = 1 << 16 })
		copyOne(t.Context(), client)
		if !body.closed {
			t.Errorf("%s: the body is open", name)
		}
		if sent.Err() == nil {
			t.Errorf("%s: the context is in use", name)
		}
	}
}

// Drift is of the response that counts, not of one that was followed by another.
func TestCall_SecondAttempt_HasNoDriftOfTheFirst(t *testing.T) {
	t.Parallel()
	responses := []struct {
		status int
		body   string
	}{{200, `{"name":"cut`}, {200, wholeResponse}}
	n := 0
	client := newClientOf(t, func(*http.Request) (*http.Response, error) {
		c := responses[n]
		n++
		return &http.Response{
			StatusCode: c.status, Header: http.Header{"Retry-After": {"0"}}, Body: io.NopCloser(strings.NewReader(c.body)),
			ContentLength: int64(len(c.body)), ProtoMajor: 1, ProtoMinor: 1,
		}, nil
	}, patient)
	ex, err := getIntegration(t.Context(), client)
	if err != nil || n != 2 || ex.Outcome != exchange.Done {
		t.Fatalf("%v after %d requests: %v", err, n, ex)
	}
	if len(ex.Drift) != 0 {
		t.Errorf("drift %v", ex.Drift)
	}
}
