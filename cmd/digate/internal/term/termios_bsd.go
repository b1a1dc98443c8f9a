//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package term

import "golang.org/x/sys/unix"

// The requests that get and set how a terminal behaves. Setting waits until what was
// written is shown.
const (
	getTermios = unix.TIOCGETA
	setTermios = unix.TIOCSETAW
)
