// Package durable writes files that a crash does not take back.
package durable

import (
	"errors"
	"os"
)

// sync is what a test can replace, to see what was made durable and when.
var sync = (*os.File).Sync

// Write writes b to a new file, makes it durable and closes the file. The name of
// the file is durable only after [SyncDir].
func Write(f *os.File, b []byte) error {
	_, err := f.Write(b)
	if err == nil {
		err = sync(f)
	}
	return errors.Join(err, f.Close())
}

// SyncDir makes the names in a directory durable.
func SyncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(sync(d), d.Close())
}
