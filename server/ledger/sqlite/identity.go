package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
)

// errMoved means that the open file is no longer at the ledger's path. No other
// process would see what is written to it.
var errMoved = errors.New("ledger: the file was removed, or another was put in its place, while it was open; nothing with a request id is sent until the server is started again")

// identity tells whether the files that were opened are still those that a process
// would open now. The log and the lock file are parts of the ledger: a process that
// opens the file without them sees less, or writes at the same time.
type identity struct {
	names  [3]string
	opened [3]fs.FileInfo
	moved  atomic.Bool
}

// openIdentity returns the identity of the files, which are open.
func openIdentity(path string) (*identity, error) {
	// SQLite puts the others beside the file that a link leads to.
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

// check returns an error unless all files are where they were. Once it failed, it
// always fails: another process may have begun a ledger there.
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
