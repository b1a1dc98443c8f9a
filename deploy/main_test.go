// Package deploy has no code: its tests hold what operators deploy to the digate that is
// built from the same tree.
package deploy

import (
	"os"
	"testing"

	"github.com/digate/digate/test/rig"
)

func TestMain(m *testing.M) { rig.Main(m, 0) }

// read returns the text of a file of the repository, by its path from this folder.
func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// digate returns the path of a digate built from this tree.
func digate(t *testing.T) string {
	t.Helper()
	path, err := rig.Digate()
	if err != nil {
		t.Fatal(err)
	}
	return path
}
