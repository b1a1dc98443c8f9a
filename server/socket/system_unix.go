//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package socket

import (
	"errors"
	"os"
	"syscall"
)

// tryLock locks the file until it is closed or the process ends, and reports whether no
// other process has. A file system without locks is no error.
func tryLock(f *os.File) bool {
	return !errors.Is(syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB), syscall.EWOULDBLOCK)
}

// restrict lets nobody else use what the descriptor will be bound to, where the system
// knows that.
func restrict(fd uintptr) { _ = syscall.Fchmod(int(fd), 0o600) }
