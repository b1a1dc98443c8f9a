package ledger

import (
	"errors"
	"strings"
)

// Kind is a kind of store, as far as it is known without opening one.
type Kind struct {
	// Name is the kind's name: memory, sqlite or postgres.
	Name string
	// Durable means that the records survive the end of the process.
	Durable bool

	prefixes []string // of a spec; the part behind is the location
	whole    bool     // the location is the whole spec
	check    func(location, keyFile string) error
}

// The kinds of stores.
var (
	Memory   = &Kind{Name: "memory", check: checkMemory}
	SQLite   = &Kind{Name: "sqlite", Durable: true, prefixes: []string{"sqlite:"}, check: checkSQLite}
	Postgres = &Kind{Name: "postgres", Durable: true, prefixes: []string{"postgres://", "postgresql://"}, whole: true, check: checkPostgres}
)

// Kinds are all kinds of stores.
var Kinds = []*Kind{Memory, SQLite, Postgres}

// Spec is a parsed --ledger value.
type Spec struct {
	Kind *Kind
	// Location is the path of an SQLite file or the URL of a PostgreSQL database,
	// which may hold a password.
	Location string
}

// ParseSpec parses a --ledger value: memory, sqlite:PATH, or the postgres:// or
// postgresql:// URL of a database. The key file's path may be empty. It checks
// what can be checked without a database driver, and its errors quote no
// password.
func ParseSpec(spec, keyFile string) (Spec, error) {
	for _, kind := range Kinds {
		location, ok := kind.location(spec)
		if ok {
			return Spec{Kind: kind, Location: location}, kind.check(location, keyFile)
		}
	}
	// The value is not quoted: it may be a URL with a password whose scheme is
	// mistyped.
	return Spec{}, errors.New("a ledger is memory, sqlite:PATH or postgres://…")
}

// location returns the part of a spec that says where the store is, and reports
// whether the spec is of this kind.
func (k *Kind) location(spec string) (string, bool) {
	if k.prefixes == nil {
		return "", spec == k.Name
	}
	for _, prefix := range k.prefixes {
		if location, ok := strings.CutPrefix(spec, prefix); ok {
			if k.whole {
				location = spec
			}
			return location, true
		}
	}
	return "", false
}

func checkMemory(string, string) error { return nil }

func checkSQLite(path, _ string) error {
	switch {
	case path == "":
		return errors.New("sqlite: needs the path of a file behind it")
	case strings.HasPrefix(path, ":memory:") || strings.ContainsRune(path, 0):
		return errors.New("sqlite: needs the path of a file behind it (for a ledger in memory there is memory)")
	default:
		return nil
	}
}

func checkPostgres(_, keyFile string) error {
	if keyFile == "" {
		return errors.New("a ledger in PostgreSQL needs a key file (--ledger-key-file), the same for all replicas: 64 hexadecimal digits, as `openssl rand -hex 32` prints them")
	}
	return nil
}
