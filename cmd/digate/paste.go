package main

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// dialable is a listener's address as a client on this machine calls it.
func dialable(addr net.Addr) string {
	host, port, err := net.SplitHostPort(addr.String())
	if ip := net.ParseIP(host); err == nil && ip != nil && ip.IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return addr.String()
}

func httpURL(addr net.Addr) string { return "http://" + dialable(addr) }

// plainWord matches what no shell makes something else of.
var plainWord = regexp.MustCompile(`^[\w@%+=:,./-]+$`)

// shellWord quotes s for a shell where it needs it.
func shellWord(s string) string {
	if plainWord.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// self is how this program is called from a shell.
func self() string {
	exe, err := os.Executable()
	if err != nil || ranByGo(exe) {
		return "go run ./cmd/digate"
	}
	if found, err := exec.LookPath("digate"); err == nil && sameFile(found, exe) {
		return "digate"
	}
	return shellWord(exe)
}

// ranByGo says whether an executable is one that `go run` made: in a directory
// that it removes, or in its cache.
func ranByGo(exe string) bool {
	for dir := filepath.Dir(exe); ; dir = filepath.Dir(dir) {
		if strings.HasPrefix(filepath.Base(dir), "go-build") {
			return true
		}
		if dir == filepath.Dir(dir) {
			return false
		}
	}
}

func sameFile(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}

// samePath says whether two paths are or would be one file.
func samePath(a, b string) bool {
	x, err := filepath.Abs(a)
	if err != nil {
		return false
	}
	y, err := filepath.Abs(b)
	return err == nil && x == y || sameFile(a, b)
}

func isDirectory(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
