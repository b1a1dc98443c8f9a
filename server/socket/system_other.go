//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package socket

import "os"

// tryLock locks nothing, because this system has no locks that end with the process.
func tryLock(*os.File) bool { return true }

// restrict does nothing. The permissions of the directory decide who may connect.
func restrict(uintptr) {}
