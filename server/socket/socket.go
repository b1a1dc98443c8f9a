// Package socket listens on Unix sockets. A path belongs to one server: the socket of a
// server that died is replaced, and that of a running server is not.
package socket

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Prefix begins the address of a Unix socket.
const Prefix = "unix:"

// Path returns the path in an address unix:PATH, and reports whether the address has this
// form.
func Path(addr string) (path string, ok bool) { return strings.CutPrefix(addr, Prefix) }

// Address returns a listener's address in the form of the setting.
func Address(addr net.Addr) string {
	if addr.Network() == "unix" {
		return Prefix + addr.String()
	}
	return addr.String()
}

// ParseMode parses a mode in octal digits, such as 0660.
func ParseMode(text string) (fs.FileMode, error) {
	mode, err := strconv.ParseUint(text, 8, 32)
	if err != nil || mode > uint64(fs.ModePerm) {
		return 0, errors.New("must be a mode in octal, such as 0660")
	}
	return fs.FileMode(mode), nil
}

// ErrNoSocket is the error of a path with a file that is not a socket. [Listen] does not
// touch it.
var ErrNoSocket = errors.New("is there, and is no socket")

// maxPath is the longest path of a socket that every system supports, in bytes.
const maxPath = 103

// CheckPath returns an error if a socket cannot have this path.
func CheckPath(path string) error {
	switch {
	case path == "":
		return errors.New("names no path behind the colon")
	case len(path) > maxPath:
		return fmt.Errorf("the path is %d bytes long, and that of a socket may have %d", len(path), maxPath)
	}
	return nil
}

// dialTimeout is how long an existing socket may take to accept a connection. A socket
// with a full queue counts as listening.
const dialTimeout = time.Second

// Listen listens on a socket with this mode. It replaces a socket on which nobody
// listens, but no other file. The socket is removed when the listener is closed.
func Listen(ctx context.Context, path string, mode fs.FileMode) (net.Listener, error) {
	if err := CheckPath(path); err != nil {
		return nil, err
	}
	lock, err := lockFor(path)
	if err != nil {
		return nil, err
	}
	ln, err := listen(ctx, path, mode)
	if err != nil {
		lock.release()
		return nil, err
	}
	return &listener{Listener: ln, lock: lock}, nil
}

func listen(ctx context.Context, path string, mode fs.FileMode) (net.Listener, error) {
	if err := removeStale(ctx, path); err != nil {
		return nil, err
	}
	// On Linux, the socket's file gets the mode of the descriptor, so nobody else can
	// connect before the mode is set.
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) { restrict(fd) })
	}}
	ln, err := lc.Listen(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, mode); err != nil {
		_ = ln.Close()
		return nil, err
	}
	return ln, nil
}

// removeStale removes the socket of a server that no longer runs.
func removeStale(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("%s %w", path, ErrNoSocket)
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "unix", path)
	if err == nil {
		_ = conn.Close()
	}
	if err == nil || !errors.Is(err, syscall.ECONNREFUSED) {
		return inUse(path)
	}
	return os.Remove(path)
}

func inUse(path string) error {
	return &net.OpError{Op: "listen", Net: "unix", Addr: &net.UnixAddr{Name: path, Net: "unix"}, Err: os.NewSyscallError("bind", syscall.EADDRINUSE)}
}

// listener releases the lock of its path when it is closed.
type listener struct {
	net.Listener
	lock *lock
	once sync.Once
}

// Close closes the listener and removes the socket.
func (l *listener) Close() error {
	err := net.ErrClosed
	l.once.Do(func() {
		err = l.Listener.Close()
		l.lock.release()
	})
	return err
}

// lock is a lock file next to the socket. Checking the socket and replacing it are two
// steps, so only one process at a time may do this.
type lock struct{ file *os.File }

func lockFor(path string) (*lock, error) {
	for {
		f, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return nil, err
		}
		if !tryLock(f) {
			_ = f.Close()
			return nil, inUse(path)
		}
		// Another process may have removed the file before it released its lock.
		held, err := f.Stat()
		there, missing := os.Stat(f.Name())
		if err == nil && missing == nil && os.SameFile(held, there) {
			return &lock{f}, nil
		}
		_ = f.Close()
		if err != nil {
			return nil, err
		}
	}
}

func (l *lock) release() {
	_ = os.Remove(l.file.Name())
	_ = l.file.Close()
}
