package backend

import (
	"context"
	"fmt"

	"github.com/digate/digate/internal/durable"
	"github.com/digate/digate/server/ledger"
)

// Backup copies an SQLite ledger and its key to files that must not exist. The copy of
// the key gets the name by which a server finds it. Servers may use the ledger meanwhile.
// PostgreSQL has backup programs of its own.
func Backup(ctx context.Context, s ledger.Settings, path string) error {
	l, err := OpenExisting(ctx, s)
	if err != nil {
		return err
	}
	spec, d, _ := parse(s) // OpenExisting has parsed it
	defer func() { _ = l.Close() }()
	if l.backup == nil {
		return fmt.Errorf("--ledger: only a ledger in a file is copied like that; for %s see its own programs", l.Engine.Name)
	}
	keyFile := s.KeyFile
	if keyFile == "" {
		keyFile = d.keyFile(spec.Location)
	}
	key, err := ledger.ReadKeyFile(keyFile)
	if err != nil {
		return err
	}
	// The key is copied first, because a ledger is useless without it.
	if err := durable.CreateWhole(d.keyFile(path), key); err != nil {
		return fmt.Errorf("the key could not be copied: %w", err)
	}
	return l.backup(ctx, path)
}
