package term

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/digate/digate/cmd/digate/internal/file"
)

// plainWord matches words that mean the same in every shell without quotes.
var plainWord = regexp.MustCompile(`^[\w@%+=:,./-]+$`)

// ShellWord returns s as one word of a shell, quoted where necessary.
func ShellWord(s string) string {
	if plainWord.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// ShellLine returns a command line that runs this program with the words.
func ShellLine(words ...string) string {
	line := Self()
	for _, word := range words {
		line += " " + ShellWord(word)
	}
	return line
}

// Self returns how a shell calls this program.
func Self() string {
	exe, err := os.Executable()
	if err != nil || madeByGoRun(exe) {
		return "go run ./cmd/digate"
	}
	return byName(exe)
}

// Installed returns how a shell calls this program after it was installed. A
// program made by `go run` is expected in the PATH.
func Installed() string {
	exe, err := os.Executable()
	if err != nil || madeByGoRun(exe) {
		return "digate"
	}
	return byName(exe)
}

// byName returns the program's name where the PATH leads to this executable,
// else its path.
func byName(exe string) string {
	if found, err := exec.LookPath("digate"); err == nil && file.Same(found, exe) {
		return "digate"
	}
	return ShellWord(exe)
}

// madeByGoRun reports whether `go run` made an executable. Such a file is in a
// directory that go run removes, or in the build cache.
func madeByGoRun(exe string) bool {
	for dir := filepath.Dir(exe); ; dir = filepath.Dir(dir) {
		if strings.HasPrefix(filepath.Base(dir), "go-build") {
			return true
		}
		if dir == filepath.Dir(dir) {
			return false
		}
	}
}
