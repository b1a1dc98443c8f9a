package sqlite

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/digate/digate/server/ledger"
	"github.com/digate/digate/server/setting"
)

// KeyFile returns the name of the key file of a ledger at path.
func KeyFile(path string) string { return path + ".key" }

// Key returns the key beside the ledger's file, in a file with .key behind its
// name. At the first start it creates both files, first the empty ledger and then
// the key. From then on, one file without the other means that a file was lost. To
// create it anew would hide that, and calls that the records know of would be sent
// again.
func Key(path string) (ledger.Keys, error) {
	keyFile := KeyFile(path)
	if err := checkLost(path); err != nil {
		return ledger.Keys{}, err
	}
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return ledger.Keys{}, failedOpen(path, syscall.EISDIR)
	case err == nil && info.Size() > 0:
		keys, err := ledger.LoadKey(keyFile)
		if errors.Is(err, os.ErrNotExist) {
			err = fmt.Errorf("the key file %s is missing, without which no record in %s can be found: put it back, or remove %[2]s to begin without records", keyFile, path)
		}
		return keys, setting.Mistaken(err)
	}
	if err := Create(path); err != nil {
		return ledger.Keys{}, failedOpen(path, err)
	}
	keys, err := ledger.CreateKey(keyFile)
	return keys, setting.OfPath(err)
}

// checkLost returns an error if the file is missing and its key is there.
func checkLost(path string) error {
	_, keyErr := os.Stat(KeyFile(path)) // first: another process may be creating both
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) && keyErr == nil {
		return setting.Mistaken(fmt.Errorf("%s is missing, but its key file %s is there: put the file back, or remove the key too to begin without records", path, KeyFile(path)))
	}
	return nil
}

// MayCreate returns an error unless a ledger could be created at path, with its key
// beside it, or the one that is there be brought up to date.
func MayCreate(path string) error {
	if err := checkLost(path); err != nil {
		return err
	}
	dir := filepath.Dir(path)
	probe, err := os.CreateTemp(dir, ".digate-*")
	if err != nil {
		return failedOpen(path, err)
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}
