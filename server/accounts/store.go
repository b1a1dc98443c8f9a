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

// lookEvery is how often the file and the tokens are looked at. They are read, and not
// asked for their times: a mounted secret is replaced by a link, with any time.
const lookEvery = 5 * time.Second

// Observer is told what becomes of the file and of the tokens. Its methods are called
// one after the other.
type Observer interface {
	// AccountsLoaded: a version of the file is in force.
	AccountsLoaded(set *Set, s Status)
	// AccountsRefused: the file cannot be used, and what was in force stays. It is
	// told once for each version of the file.
	AccountsRefused(err error)
	// TokenRead: the token of an account is another than before.
	TokenRead(account string)
	// TokenRefused: the token of an account cannot be read, and the one before stays.
	// It is told once for each reason.
	TokenRefused(account string, err error)
}

// Status is the state of a store.
type Status struct {
	// Hash is the SHA-256 of the file that is in force, in hexadecimal.
	Hash string
	// Loaded is when it came into force.
	Loaded time.Time
	// Accounts, Callers and Issuers are how many there are.
	Accounts, Callers, Issuers int
	// Refused means that the file is another now, and cannot be used, and RefusedSince
	// is since when.
	Refused      bool
	RefusedSince time.Time
	// TokensRefused is how many tokens cannot be read now.
	TokensRefused int
}

// Store holds the set that is in force, and keeps it up to date. Many goroutines may
// use it.
type Store struct {
	path     string
	check    func(*Set) error
	observer Observer
	current  atomic.Pointer[Set]

	mu      sync.Mutex
	seen    string            // what was last seen of the file: its hash, or why it could not be read
	refused map[string]string // why an account's token cannot be read
	status  Status
}

// Open reads the file and its tokens. The error names everything that is wrong. Check,
// which may be nil, returns why a file cannot be used although nothing in it is wrong.
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

// Set returns the set that is in force.
func (s *Store) Set() *Set { return s.current.Load() }

// Status returns the state of the store.
func (s *Store) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status
}

// RefusedTokens returns the names of the accounts whose tokens cannot be read now.
func (s *Store) RefusedTokens() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.refused))
}

// Run keeps the store up to date until the context ends.
func (s *Store) Run(ctx context.Context) {
	ticker := time.NewTicker(lookEvery)
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

// Look reads the file and the tokens. A file that is the same as before changes
// nothing, and one that cannot be used changes nothing either: the error says why.
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
	case err == nil && seen == s.status.Hash: // it is again what is in force
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

// load puts a file into force, unless something in it or one of its tokens is wrong.
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

// ReadTokens reads the tokens of a new set. A token that the set before has too is
// taken from there: it may be one that cannot be read at the moment. The error names
// every token that is missing.
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

// readTokens reads the tokens of the set that is in force.
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
