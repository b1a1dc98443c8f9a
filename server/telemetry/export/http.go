package export

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"google.golang.org/protobuf/proto"
)

// maxHeader bounds the header of a collector's response, in bytes.
const maxHeader = 64 << 10

// httpClient speaks OTLP over HTTP with protobuf bodies.
type httpClient struct {
	target Target
	http   *http.Client
}

func newHTTPClient(t Target, _ signal) *httpClient {
	return &httpClient{t, &http.Client{
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, TLSClientConfig: t.TLS, ForceAttemptHTTP2: true,
			MaxIdleConns: 1, IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: maxHeader,
		},
		// A redirect would take the headers, and their credential, elsewhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (c *httpClient) close() { c.http.CloseIdleConnections() }

func (c *httpClient) once(ctx context.Context, request, response proto.Message) error {
	ctx, cancel := context.WithTimeout(ctx, c.target.Timeout)
	defer cancel()
	body, err := proto.Marshal(request)
	if err != nil {
		return failure("a batch cannot be encoded")
	}
	if c.target.Gzip {
		body = compressed(body)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.target.URL, bytes.NewReader(body))
	if err != nil {
		return failure("its URL cannot be used")
	}
	for name, value := range c.target.Headers {
		r.Header.Set(name, value)
	}
	r.Header.Set("Content-Type", "application/x-protobuf")
	r.Header.Set("User-Agent", userAgent)
	if c.target.Gzip {
		r.Header.Set("Content-Encoding", "gzip")
	}
	resp, err := c.http.Do(r)
	if err != nil {
		return &refusal{words: "it cannot be reached, or does not respond"}
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxResponse+1))
	words := fmt.Sprintf("it responded with HTTP status %d", resp.StatusCode)
	switch {
	case resp.StatusCode == http.StatusTooManyRequests, resp.StatusCode == http.StatusBadGateway,
		resp.StatusCode == http.StatusServiceUnavailable, resp.StatusCode == http.StatusGatewayTimeout:
		return &refusal{words, retryAfter(resp.Header.Get("Retry-After"))}
	case resp.StatusCode/100 != 2:
		return failure(words)
	case err != nil, len(text) > maxResponse:
		return nil // it took them: what else it says does not matter
	}
	if proto.Unmarshal(text, response) != nil {
		proto.Reset(response)
	}
	return nil
}

func compressed(body []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(body) // a buffer takes everything
	_ = w.Close()
	return b.Bytes()
}

// retryAfter returns how long a Retry-After header asks to wait, 0 where it says nothing.
func retryAfter(value string) time.Duration {
	if seconds, err := strconv.Atoi(value); err == nil && seconds > 0 {
		return time.Duration(min(seconds, int(time.Hour/time.Second))) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(time.Until(at), 0)
	}
	return 0
}
