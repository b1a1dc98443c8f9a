package ledger

import (
	"errors"
	"strings"
)

// Engine is a kind of store. Its properties are known without opening a store.
type Engine struct {
	// Name is the engine's name: memory, sqlite or postgres.
	Name string
	// Durable means that the records survive the process.
	Durable bool

	prefixes []string // prefixes of a spec; the rest is the location
	whole    bool     // the location is the whole spec
	check    func(location, keyFile string) error
}

// The engines.
var (
	Memory   = &Engine{Name: "memory", check: checkMemory}
	SQLite   = &Engine{Name: "sqlite", Durable: true, prefixes: []string{"sqlite:"}, check: checkSQLite}
	Postgres = &Engine{Name: "postgres", Durable: true, prefixes: []string{"postgres://", "postgresql://"}, whole: true, check: checkPostgres}
)

// Engines lists all engines.
var Engines = []*Engine{Memory, SQLite, Postgres}

// Spec is a parsed value of --ledger.
type Spec struct {
	Engine *Engine
	// Location is the path of an SQLite file, or the URL of a PostgreSQL database, which
	// may contain a password.
	Location string
}

// ParseSpec parses a value of --ledger: memory, sqlite:PATH, or a postgres:// or
// postgresql:// URL. The path of the key file may be empty. ParseSpec checks everything
// that needs no database driver. Its errors quote no password.
func ParseSpec(spec, keyFile string) (Spec, error) {
	for _, e := range Engines {
		location, ok := e.location(spec)
		if ok {
			return Spec{Engine: e, Location: location}, e.check(location, keyFile)
		}
	}
	// The value is not quoted, because it may be a URL with a password and a misspelt
	// scheme.
	return Spec{}, errors.New("a ledger is memory, sqlite:PATH or postgres://…")
}

// location returns the location in a spec, and reports whether the spec is for this
// engine.
func (e *Engine) location(spec string) (string, bool) {
	if e.prefixes == nil {
		return "", spec == e.Name
	}
	for _, prefix := range e.prefixes {
		if location, ok := strings.CutPrefix(spec, prefix); ok {
			if e.whole {
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
