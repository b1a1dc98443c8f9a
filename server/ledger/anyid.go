package ledger

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"
)

// KeepAnyID returns a store that accepts every id that Diga may return. It escapes ids
// that [CheckID] refuses. If the escaped id is too long, it stores the id's length and
// digest instead: such a record is in Done without a CreatedID, but Named and Resolve
// still recognize the id.
func KeepAnyID(s Store) Store { return anyID{s} }

type anyID struct{ Store }

// Claim implements [Store].
func (s anyID) Claim(ctx context.Context, c Claim) (r Record, mine bool, err error) {
	r, mine, err = s.Store.Claim(ctx, c)
	r.CreatedID = originalID(r.CreatedID)
	return r, mine, err
}

// Get implements [Store].
func (s anyID) Get(ctx context.Context, key Digest) (r Record, found bool, err error) {
	r, found, err = s.Store.Get(ctx, key)
	r.CreatedID = originalID(r.CreatedID)
	return r, found, err
}

// List implements [Store].
func (s anyID) List(ctx context.Context, q Query) ([]Record, error) {
	records, err := s.Store.List(ctx, q)
	for i := range records {
		records[i].CreatedID = originalID(records[i].CreatedID)
	}
	return records, err
}

// MarkDone implements [Store].
func (s anyID) MarkDone(ctx context.Context, key Digest, token Token, createdID string) error {
	return s.Store.MarkDone(ctx, key, token, storedID(createdID))
}

// Resolve implements [Store].
func (s anyID) Resolve(ctx context.Context, key Digest, token Token, createdID string) error {
	return s.Store.Resolve(ctx, key, token, storedID(createdID))
}

// Named implements [Store].
func (s anyID) Named(ctx context.Context, createdIDs []string) ([]string, error) {
	given := make(map[string]string, len(createdIDs))
	kept := make([]string, len(createdIDs))
	for i, id := range createdIDs {
		kept[i] = storedID(id)
		given[kept[i]] = id
	}
	named, err := s.Store.Named(ctx, kept)
	for i, id := range named {
		named[i] = given[id]
	}
	return named, err
}

// The first character of a stored form that is not the id itself.
const (
	escaped    = `"`
	recognized = "("
)

// storedID returns the stored form of an id: the id itself, the id as a quoted Go string,
// or its length and digest. No two ids have the same form. An empty id is unchanged.
func storedID(id string) string {
	if id == "" || CheckID(id) == nil && !strings.HasPrefix(id, escaped) && !strings.HasPrefix(id, recognized) {
		return id
	}
	if len(id) <= MaxIDLen {
		if quoted := strconv.Quote(id); len(quoted) <= MaxIDLen {
			return quoted
		}
	}
	return fmt.Sprintf("%s%d bytes, SHA-256 %x)", recognized, len(id), sha256.Sum256([]byte(id)))
}

// originalID returns the id with a stored form. It is empty if only the digest is stored.
func originalID(kept string) string {
	switch {
	case strings.HasPrefix(kept, recognized):
		return ""
	case strings.HasPrefix(kept, escaped):
		if id, err := strconv.Unquote(kept); err == nil {
			return id
		}
	}
	return kept
}
