package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/digate/digate/server/ledger"
	"github.com/digate/digate/server/ledger/backend"
	"github.com/digate/digate/server/ledger/listing"
)

// operatorFlags choose where an operator reads the records of all callers: in the ledger
// itself, or from the admin listener of a running digate. The admin listener
// authenticates nobody, so it changes nothing.
type operatorFlags struct {
	Ledger    string        `name:"ledger" group:"Operator:" placeholder:"STORE" help:"The ledger itself, as serve has it: sqlite:PATH or postgres://USER@HOST/DATABASE. Without it, records are read from --admin."`
	KeyFile   string        `name:"ledger-key-file" group:"Operator:" type:"path" placeholder:"FILE" help:"The key file of the ledger, as serve has it. For sqlite it is PATH.key unless given."`
	Retention time.Duration `name:"ledger-retention" group:"Operator:" default:"24h" help:"How long a settled record is kept, as serve has it."`
	Admin     string        `name:"admin" group:"Operator:" placeholder:"URL" default:"http://127.0.0.1:9091" help:"The admin listener of a running digate: a URL, or unix:PATH."`
	AdminCA   string        `name:"admin-ca-file" group:"Operator:" type:"existingfile" placeholder:"FILE" help:"PEM file with the authorities of an admin listener that speaks TLS, instead of the system's."`
}

// local reports whether the records are read in the ledger itself.
func (f *operatorFlags) local() bool { return f.Ledger != "" && f.Ledger != ledger.Memory.Name }

// ledgerWords returns the flags by which another command finds the same ledger. They do
// not include a URL, which may contain a password.
func (f *operatorFlags) ledgerWords() []string {
	var words []string
	switch {
	case strings.HasPrefix(f.Ledger, "sqlite:"):
		words = append(words, "--ledger", f.Ledger)
	default:
		words = append(words, "--ledger", "URL")
	}
	if f.KeyFile != "" {
		words = append(words, "--ledger-key-file", f.KeyFile)
	}
	return words
}

// open opens the ledger itself.
func (f *operatorFlags) open(ctx context.Context) (*backend.Ledger, error) {
	return backend.OpenExisting(ctx, ledger.Settings{Spec: f.Ledger, KeyFile: f.KeyFile, Retention: f.Retention})
}

// list returns the records that match a query, and reports whether there are more.
func (f *operatorFlags) list(ctx context.Context, q ledger.Query) (listing.Page, error) {
	if !f.local() {
		return f.listAdmin(ctx, q)
	}
	l, err := f.open(ctx)
	if err != nil {
		return listing.Page{}, err
	}
	defer func() { _ = l.Close() }()
	limit := q.Limit
	q.Limit++
	found, err := l.List(ctx, q)
	if err != nil {
		return listing.Page{}, fmt.Errorf("--ledger: %w", err)
	}
	return listing.PageOf(found, limit), nil
}

// find returns the record whose name has the given prefix.
func (f *operatorFlags) find(ctx context.Context, name string) (ledger.Record, error) {
	page, err := f.list(ctx, ledger.Query{Record: name, Limit: 1})
	switch {
	case err != nil:
		return ledger.Record{}, err
	case len(page.Records) == 0:
		return ledger.Record{}, notOne(0)
	case page.More:
		return ledger.Record{}, notOne(2)
	}
	return page.Records[0].Ledger()
}

// notOne returns the error if n records have the prefix and not one.
func notOne(n int) error {
	if n == 0 {
		return errors.New("the ledger has no record whose name begins so; it may be gone, or in another ledger")
	}
	return errors.New("several records have names that begin so: give more digits")
}
