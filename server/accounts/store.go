package accounts

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// checkEvery is the interval at which the file and the tokens are checked. They are read
// each time, because a modification time proves nothing: a mounted secret is replaced by
// changing a symbolic link, and its new file may have any time.
const checkEvery = 5 * time.Second

// Observer is told about changes of the file and the tokens. Its methods are not called
// concurrently.
type Observer interface {
	// AccountsLoaded is called when a version of the file comes into use.
	AccountsLoaded(set *Set, s Status)
	// AccountsRefused is called when the file cannot be used and the previous version
	// stays in use. It is called once for each version of the file.
	AccountsRefused(err error)
	// TokenRead is called when the token of an account has changed.
	TokenRead(account string)
	// TokenRefused is called when the token of an account cannot be read and the previous
	// one stays in use. It is called once for each reason.
	TokenRefused(account string, err error)
}

// Status is the state of a store.
type Status struct {
	// Hash is the SHA-256 of the file in use, in hexadecimal.
	Hash string
	// Loaded is when the file came into use.
	Loaded time.Time
	// Accounts, Callers and Issuers are how many the file has.
	Accounts, Callers, Issuers int
	// Refused means that the file has changed and its new version cannot be used.
	// RefusedSince is when that began.
	Refused      bool
	RefusedSince time.Time
	// TokensRefused is the number of tokens that cannot be read at present.
	TokensRefused int
}

// Store holds the set in use, and updates it when the file changes. It is safe for
// concurrent use.
type Store struct {
	path     string
	check    func(*Set) error
	observer Observer
	current  atomic.Pointer[Set]

	mu      sync.Mutex
	seen    string            // hash of the file when last read, or why it could not be read
	refused map[string]string // by account: why its token cannot be read
	status  Status
}

// Open reads the file and its tokens. The error has all problems. check, which may be
// nil, returns an error if a valid file cannot be used for another reason.
func Open(path string, check func(*Set) error, observer Observer) (*Store, error) {
	s := &Store{path: path, check: check, observer: observer, refused: make(map[string]string)}
	text, err := readFile(path, MaxFile)
	if err != nil {
		return nil, err
	}
	s.seen = hash(text)
	if err := s.load(text); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

// Set returns the set in use.
func (s *Store) Set() *Set { return s.current.Load() }

// Status returns the state of the store.
func (s *Store) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status
}

// RefusedTokens returns the names of the accounts whose tokens cannot be read at present.
func (s *Store) RefusedTokens() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.refused))
}

// Run checks the file and the tokens repeatedly until the context ends.
func (s *Store) Run(ctx context.Context) {
	ticker := time.NewTicker(checkEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			_ = s.Look()
		case <-ctx.Done():
			return
		}
	}
}

// Look reads the file and the tokens once. If the file is unchanged or cannot be used,
// the set in use stays. In the second case, the error says why.
func (s *Store) Look() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	text, err := readFile(s.path, MaxFile)
	seen := hash(text)
	if err != nil {
		seen = err.Error()
	}
	switch {
	case seen == s.seen:
	case err == nil && seen == s.status.Hash: // the file is again the version in use
		s.seen, s.status.Refused, s.status.RefusedSince = seen, false, time.Time{}
	default:
		s.seen = seen
		if err == nil {
			err = s.load(text)
		}
		if err != nil {
			if !s.status.Refused {
				s.status.Refused, s.status.RefusedSince = true, time.Now()
			}
			s.observer.AccountsRefused(err)
		}
	}
	s.readTokens()
	return err
}

// load brings a file into use, unless it is invalid or one of its tokens cannot be read.
func (s *Store) load(text string) error {
	set, err := Parse([]byte(text))
	if err != nil {
		return err
	}
	if s.check != nil {
		if err := s.check(set); err != nil {
			return err
		}
	}
	if err := set.ReadTokens(s.current.Load()); err != nil {
		return err
	}
	s.current.Store(set)
	clear(s.refused)
	s.status = Status{
		Hash: hash(text), Loaded: time.Now(),
		Accounts: len(set.accounts), Callers: len(set.callers), Issuers: len(set.issuers),
	}
	s.observer.AccountsLoaded(set, s.status)
	return nil
}

// ReadTokens reads the tokens of a new set. It takes tokens that the previous set also
// has from that set, because they may be unreadable at present. The error names every
// missing token.
func (s *Set) ReadTokens(before *Set) error {
	known := make(map[string]*Token)
	if before != nil {
		for _, a := range before.accounts {
			known[a.Token.ref] = a.Token
		}
	}
	var p FileError
	for _, a := range s.Accounts() {
		if token := known[a.Token.ref]; token != nil {
			a.Token = token
			continue
		}
		known[a.Token.ref] = a.Token
		if _, err := a.Token.Read(); err != nil {
			p.addf(a.Line, "account %s, token: %v", a.Name, err)
		}
	}
	return p.err()
}

// readTokens reads the tokens of the set in use.
func (s *Store) readTokens() {
	for _, a := range s.current.Load().Accounts() {
		changed, err := a.Token.Read()
		switch {
		case err != nil && s.refused[a.Name] != err.Error():
			s.refused[a.Name] = err.Error()
			s.observer.TokenRefused(a.Name, err)
		case err == nil:
			delete(s.refused, a.Name)
			if changed {
				s.observer.TokenRead(a.Name)
			}
		}
	}
	s.status.TokensRefused = len(s.refused)
}

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
