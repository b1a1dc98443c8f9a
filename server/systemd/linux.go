//go:build linux

package systemd

import (
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// monotonic returns the time of the clock by which the manager orders reloads.
func monotonic() time.Duration {
	var now unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) != nil {
		return 0
	}
	return time.Duration(now.Nano())
}

// listens reports whether a file is a listening socket. It also keeps child processes
// from inheriting the file.
func listens(f *os.File) bool {
	fd := int(f.Fd())
	syscall.CloseOnExec(fd)
	accepts, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	return err == nil && accepts == 1
}
