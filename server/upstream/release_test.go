package upstream

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
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
		"gzip by its own word": {201, http.Header{"Content-Encoding": {"gzip"}}, string(gzipStart) + "cut"},
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
