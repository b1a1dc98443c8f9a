package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/term"
	"github.com/digate/digate/server/ledger"
	"github.com/digate/digate/server/ledger/backend"
)

// storeFlags are the flags that choose the ledger itself.
type storeFlags struct {
	Ledger  string        `name:"ledger" placeholder:"STORE" help:"The ledger, as serve has it: sqlite:PATH or postgres://USER@HOST/DATABASE."`
	KeyFile string        `name:"ledger-key-file" type:"path" placeholder:"FILE" help:"The key file of the ledger, as serve has it. For sqlite it is PATH.key unless given."`
	Timeout time.Duration `name:"timeout" default:"10m" help:"Time limit for everything."`
}

// Validate implements kong's hook.
func (f *storeFlags) Validate() error {
	switch {
	case f.Timeout <= 0:
		return errors.New("--timeout: must be more than 0")
	case f.Ledger == "" || f.Ledger == ledger.Memory.Name:
		return errors.New("--ledger: give the ledger itself: sqlite:PATH or postgres://…")
	}
	return nil
}

func (f *storeFlags) settings() ledger.Settings {
	return ledger.Settings{Spec: f.Ledger, KeyFile: f.KeyFile}
}

// ledgerMigrateCmd creates a ledger, or updates its schema.
type ledgerMigrateCmd struct {
	storeFlags `embed:""`
}

// Help is shown by --help.
func (ledgerMigrateCmd) Help() string {
	return "serve does the same when it starts. With this command another role can do it, so that the role of serve needs no right to change tables.\n\n" + client.ExitHelpOfLedger
}

func (c *ledgerMigrateCmd) Run(ctx context.Context, std term.IO) error {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	l, err := backend.Open(ctx, c.settings())
	if err != nil {
		return err
	}
	if err := l.Close(); err != nil {
		return err
	}
	_, err = fmt.Fprintf(std.Out, "the ledger is there and up to date (%s)\n", l.Engine.Name)
	return err
}

// ledgerBackupCmd copies a ledger in an SQLite file.
type ledgerBackupCmd struct {
	File string `arg:"" name:"file" type:"path" help:"The file to write, which must not be there. The key goes to FILE.key."`

	storeFlags `embed:""`
}

// Help is shown by --help.
func (ledgerBackupCmd) Help() string {
	return "The copy is of one moment, while servers go on. It holds no secret, but its key must be kept as the ledger's own is.\n\n" + client.ExitHelpOfLedger
}

func (c *ledgerBackupCmd) Run(ctx context.Context, std term.IO) error {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	if err := backend.Backup(ctx, c.settings(), c.File); err != nil {
		return err
	}
	_, err := fmt.Fprintf(std.Out, "wrote %s and %[1]s.key\n", term.Printable(c.File))
	return err
}
