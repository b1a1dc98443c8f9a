package jwt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// refreshEvery is the interval at which a key set is read.
	refreshEvery = 5 * time.Minute
	// refreshLeast is the shortest interval between two reads of a key set. A token with
	// an unknown key triggers a read, and anybody can send such tokens.
	refreshLeast = 10 * time.Second
	// fetchTimeout is the time limit of one read.
	fetchTimeout = 10 * time.Second
)

// source reads the keys of an issuer repeatedly. If a read fails, the keys from the
// previous read stay valid.
type source struct {
	name   string
	url    *url.URL
	client *http.Client
	told   func(issuer string, err error)

	keys     atomic.Pointer[[]key]
	wanted   chan struct{}
	justRead atomic.Bool // true for a while after a read, in which want triggers no other

	mu   sync.Mutex
	last error
	read time.Time // when keys were last read
	text []byte    // the key set that the keys come from
}

// client reads key sets. It follows no redirects: the file of accounts decides which
// servers are trusted.
var client = &http.Client{
	Timeout:       fetchTimeout,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

func newSource(name, keys string, told func(string, error)) (*source, error) {
	u, err := url.Parse(keys)
	if err != nil {
		return nil, err
	}
	return &source{name: name, url: u, client: client, told: told, wanted: make(chan struct{}, 1)}, nil
}

// run reads the keys at once and then repeatedly, until the context ends. It calls first
// after the first read, successful or not. It reads files more often than URLs. It also
// reads more often while no read has succeeded: a server that is not ready for lack of
// keys gets no calls whose tokens would trigger a read.
func (s *source) run(ctx context.Context, first func()) {
	for {
		s.refresh(ctx)
		if first != nil {
			first()
			first = nil
		}
		s.justRead.Store(true)
		if !sleep(ctx, refreshLeast, nil) {
			return
		}
		s.justRead.Store(false)
		if s.url.Scheme != "file" && s.keys.Load() != nil && !sleep(ctx, refreshEvery-refreshLeast, s.wanted) {
			return
		}
	}
}

// sleep waits for the duration, or until wanted receives a value. It returns false if the
// context ends first.
func sleep(ctx context.Context, d time.Duration, wanted <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-wanted:
	case <-ctx.Done():
		return false
	}
	return true
}

// requestRefresh triggers a read of the keys, and reports whether the read begins at once. It does
// not wait for the read.
func (s *source) requestRefresh() bool {
	select {
	case s.wanted <- struct{}{}:
	default:
	}
	return !s.justRead.Load()
}

// refresh reads the keys. It reports the first of several failures, and the first success
// after a failure.
func (s *source) refresh(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	text, err := s.fetch(ctx)
	var keys []key
	if err == nil {
		keys, err = parseKeys(text)
	}
	if ctx.Err() != nil && errors.Is(context.Cause(ctx), context.Canceled) {
		return // the server is stopping
	}
	s.mu.Lock()
	if err == nil && (s.text == nil || !bytes.Equal(text, s.text)) { // equal keys leave earlier verifications valid
		s.text = text
		s.keys.Store(&keys)
	}
	before := s.last
	if s.last = err; err == nil {
		s.read = time.Now()
	} else if s.read.IsZero() {
		err = &NoKeysError{err}
	}
	s.mu.Unlock()
	if (err == nil) != (before == nil) || err != nil && err.Error() != before.Error() {
		s.told(s.name, err)
	}
}

// inherit copies the keys of another source of the same key set, for use until the first
// successful read.
func (s *source) inherit(from *source) {
	from.mu.Lock()
	defer from.mu.Unlock()
	s.text, s.read = from.text, from.read
	s.keys.Store(from.keys.Load())
}

// failing reports whether the last read failed.
func (s *source) failing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last != nil
}

// lastRead returns when keys were last read, or zero if they never were.
func (s *source) lastRead() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.read
}

// fetch reads the key set. It stops reading just beyond the size limit.
func (s *source) fetch(ctx context.Context) ([]byte, error) {
	if s.url.Scheme == "file" {
		return readFile(s.url.Path)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url.String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: HTTP status %d", s.url.Redacted(), resp.StatusCode)
	}
	return io.ReadAll(io.LimitReader(resp.Body, maxKeySet+1))
}

func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() { // opening a named pipe would wait for a writer
		return nil, fmt.Errorf("%s is no regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return io.ReadAll(io.LimitReader(f, maxKeySet+1))
}
