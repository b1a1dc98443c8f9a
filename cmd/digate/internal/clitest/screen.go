package clitest

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/digate/digate/cmd/digate/internal/term"
)

// The size of the terminal that screens are made for.
const (
	ScreenColumns = 80
	screenRows    = 24
)

// screens is where a package's files are, even if a test goes to another directory.
var screens, _ = filepath.Abs(filepath.Join("testdata", "screens"))

var update = flag.Bool("update-screens", false, "write the screens of testdata/screens anew")

// Screen fails unless the text, on a terminal of 80 × 24, is what the file
// testdata/screens/NAME.txt shows. Whoever changes what people see looks at the file,
// and writes it anew with -update-screens.
func Screen(t *testing.T, name, text string) {
	t.Helper()
	if rows := len(wrapped(text)); rows > screenRows {
		t.Errorf("%s takes %d rows, and a terminal has %d", name, rows, screenRows)
	}
	Scroll(t, name, text)
}

// Scroll is Screen for text that may be longer than a terminal.
func Scroll(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join(screens, name+".txt")
	got := []byte(strings.Join(wrapped(text), "\n") + "\n")
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("what is seen has changed; -update-screens writes %s anew. Now:\n%s\nBefore:\n%s", path, got, want)
	}
}

// wrapped returns the rows that a text takes on a terminal.
func wrapped(text string) []string {
	var rows []string
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		for term.Width(line) > ScreenColumns {
			n, used := 0, 0
			for i, r := range line {
				if used += term.Width(string(r)); used > ScreenColumns {
					n = i
					break
				}
			}
			rows = append(rows, line[:n])
			line = line[n:]
		}
		rows = append(rows, line)
	}
	return rows
}
