package sqlite

import (
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// Not through Open: a test that runs as root can open every file.
func TestOpenError_PermissionDenied_SaysWhoNeedsWhat(t *testing.T) {
	t.Parallel()
	err := &openError{filepath.Join(t.TempDir(), "ledger.db"), &fs.PathError{Op: "open", Path: "ledger.db", Err: fs.ErrPermission}}
	for _, part := range []string{err.path, "permission denied", "the user that runs digate"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not in %v", part, err)
		}
	}
}
