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
	// refreshEvery is how often a key set is read anew.
	refreshEvery = 5 * time.Minute
	// refreshLeast is the least time between two reads of a key set: a token with a key
	// that is not known has it read, and anybody can send such tokens.
	refreshLeast = 10 * time.Second
	// fetchTimeout bounds the time of one read.
	fetchTimeout = 10 * time.Second
)

// source holds the keys of an issuer and keeps them up to date. What it reads last is
// in force until it can read something else.
type source struct {
	name   string
	url    *url.URL
	client *http.Client
	told   func(issuer string, err error)

	keys   atomic.Pointer[[]key]
	wanted chan struct{}
	rests  atomic.Bool // was read so lately that it is not read again at once

	mu   sync.Mutex
	last error
	read time.Time // when keys were read last
	text []byte    // of the keys
}

// client reads key sets. It follows no redirect: the file of accounts says whom to
// trust.
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

// run reads the keys at once and then from time to time, until the context ends. It
// calls first when they were read for the first time, or could not be. A file is read
// more often than a URL, and so is what never gave keys: a server that is not ready
// without them gets no calls that want them.
func (s *source) run(ctx context.Context, first func()) {
	for {
		s.refresh(ctx)
		if first != nil {
			first()
			first = nil
		}
		s.rests.Store(true)
		if !sleep(ctx, refreshLeast, nil) {
			return
		}
		s.rests.Store(false)
		if s.url.Scheme != "file" && s.keys.Load() != nil && !sleep(ctx, refreshEvery-refreshLeast, s.wanted) {
			return
		}
	}
}

// sleep waits, until somebody wants it to end or the context does. It reports false in
// the second case.
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

// want has the keys read. It reports whether that happens at once; want does not wait
// for it.
func (s *source) want() bool {
	select {
	case s.wanted <- struct{}{}:
	default:
	}
	return !s.rests.Load()
}

// refresh reads the keys. The first failure and the end of failures are told.
func (s *source) refresh(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	text, err := s.fetch(ctx)
	var keys []key
	if err == nil {
		keys, err = parseKeys(text)
	}
	if ctx.Err() != nil && errors.Is(context.Cause(ctx), context.Canceled) {
		return // the server stops
	}
	s.mu.Lock()
	if err == nil && (s.text == nil || !bytes.Equal(text, s.text)) { // the same keys do not end what they verified
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

// inherit takes the keys of another source of the same key set, until it reads some
// itself.
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

// lastRead returns when keys were read last, zero if they never were.
func (s *source) lastRead() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.read
}

// fetch returns the text of the key set, of which it reads no more than may be used.
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
	if !info.Mode().IsRegular() { // to open a pipe is to wait for its writer
		return nil, fmt.Errorf("%s is no regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return io.ReadAll(io.LimitReader(f, maxKeySet+1))
}
