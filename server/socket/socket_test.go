package socket_test

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/digate/digate/server/socket"
)

func listen(t *testing.T, path string, mode fs.FileMode) net.Listener {
	t.Helper()
	ln, err := socket.Listen(t.Context(), path, mode)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	return ln
}

func TestListen_Socket_HasItsModeAndIsGoneAfterwards(t *testing.T) {
	t.Parallel()
	d := t.TempDir()
	path := filepath.Join(d, "s")
	for _, mode := range []fs.FileMode{0o600, 0o666, 0o660} {
		ln := listen(t, path, mode)
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != mode || info.Mode().Type() != fs.ModeSocket {
			t.Errorf("%v: %v, %v", mode, info.Mode(), err)
		}
		if got := socket.Address(ln.Addr()); got != "unix:"+path {
			t.Errorf("got %s", got)
		}
		if err := ln.Close(); err != nil {
			t.Error(err)
		}
		if left, err := os.ReadDir(d); err != nil || len(left) != 0 {
			t.Errorf("left: %v, %v", left, err)
		}
	}
}

func TestListen_PathOfARunningServer_IsRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	first := listen(t, path, 0o600)
	if ln, err := socket.Listen(t.Context(), path, 0o600); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("a second server: %v, %v", ln, err)
	}
	// A program that knows nothing of the lock.
	if err := os.Remove(path + ".lock"); err != nil {
		t.Fatal(err)
	}
	if ln, err := socket.Listen(t.Context(), path, 0o600); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("beside another program: %v, %v", ln, err)
	}
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatalf("the first server: %v", err)
	}
	_ = conn.Close()
	_ = first.Close()
	listen(t, path, 0o600)
}

func TestListen_SocketOfAServerThatDied_IsReplaced(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	ln.(*net.UnixListener).SetUnlinkOnClose(false)
	_ = ln.Close()
	if err := os.WriteFile(path+".lock", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	listen(t, path, 0o600)
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
}

func TestListen_FileThatIsNoSocket_IsKept(t *testing.T) {
	t.Parallel()
	d := t.TempDir()
	file := filepath.Join(d, "file")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(d, "link")
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, link, d} {
		if _, err := socket.Listen(t.Context(), path, 0o600); err == nil || !strings.HasSuffix(err.Error(), "is there, and is no socket") {
			t.Errorf("%s: %v", path, err)
		}
	}
	if b, err := os.ReadFile(file); string(b) != "precious" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
}

func TestListen_PathThatNoSocketCanHave_SaysWhy(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"": "names no path", "/" + strings.Repeat("a", 200): "the path is 201 bytes long, and that of a socket may have 103",
		"/nonexistent/s": "no such file or directory",
	} {
		if _, err := socket.Listen(t.Context(), path, 0o600); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20s: %v", path, err)
		}
	}
}

func TestParseMode(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]fs.FileMode{"0600": 0o600, "660": 0o660, "0777": 0o777} {
		if got, err := socket.ParseMode(text); got != want || err != nil {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "8", "rw", "01777", "-1"} {
		if got, err := socket.ParseMode(text); err == nil {
			t.Errorf("%s: %v", text, got)
		}
	}
}
