// Package durable writes files that survive a crash.
package durable

import (
	"errors"
	"os"
	"path/filepath"
)

// sync makes a file durable. A test can replace it to see what was made durable, and
// when.
var sync = (*os.File).Sync

// Create makes a file that only its owner may read, with b in it, and makes both
// the content and the name durable. It fails with [os.ErrExist] if the file exists.
func Create(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(Write(f, b), SyncDir(filepath.Dir(path)))
}

// CreateWhole is [Create] for a file that other processes may read at once: they
// never find a part of b in it, not even after a crash.
func CreateWhole(path string, b []byte) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+"-*") // O_EXCL and 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	if err := Write(f, b); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil {
		return err
	}
	return SyncDir(dir)
}

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
