//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package socket

import (
	"errors"
	"os"
	"syscall"
)

// tryLock locks the file until it is closed or the process ends. It returns false if
// another process has locked it. On a file system without locks it returns true.
func tryLock(f *os.File) bool {
	return !errors.Is(syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB), syscall.EWOULDBLOCK)
}

// restrict prevents other users from using the descriptor's socket once it is bound, on
// systems that support that.
func restrict(fd uintptr) { _ = syscall.Fchmod(int(fd), 0o600) }
