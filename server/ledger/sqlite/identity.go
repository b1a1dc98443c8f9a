package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
)

// errMoved means that another file is at the ledger's path than the one that is
// open, or none: what is written to that one, nobody else will see.
var errMoved = errors.New("ledger: the file was removed, or another was put in its place, while it was open; nothing with a request id is sent until the server is started again")

// identity tells whether the files that were opened are still those that a process
// would open now. What is in the log and the lock file belongs to the ledger as
// much as what is in the file: whoever opens it without them sees less, or writes
// at the same time.
type identity struct {
	names  [3]string
	opened [3]fs.FileInfo
	moved  atomic.Bool
}

// openIdentity takes note of the files, while they are open.
func openIdentity(path string) (*identity, error) {
	// SQLite puts the others beside what a link leads to.
	file, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, err
	}
	i := &identity{names: [...]string{path, file + "-wal", file + "-shm"}}
	for n, name := range i.names {
		if i.opened[n], err = os.Stat(name); err != nil {
			return nil, fmt.Errorf("the file is not where it was opened: %w", err)
		}
	}
	return i, nil
}

// check returns an error unless all of them are where they were. Once one was not
// it does so for ever: somebody else may have begun another ledger there.
func (i *identity) check() error {
	if i.moved.Load() {
		return errMoved
	}
	for n, name := range i.names {
		info, err := os.Stat(name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err != nil || !os.SameFile(info, i.opened[n]) {
			i.moved.Store(true)
			return errMoved
		}
	}
	return nil
}
