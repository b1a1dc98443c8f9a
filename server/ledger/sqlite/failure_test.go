package sqlite

import (
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// A test that runs as root cannot be denied a file, hence not through Open.
func TestOpenError_PermissionDenied_SaysWhoNeedsWhat(t *testing.T) {
	t.Parallel()
	err := &openError{filepath.Join(t.TempDir(), "ledger.db"), &fs.PathError{Op: "open", Path: "ledger.db", Err: fs.ErrPermission}}
	for _, part := range []string{err.path, "permission denied", "the user that runs digate"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not in %v", part, err)
		}
	}
}
