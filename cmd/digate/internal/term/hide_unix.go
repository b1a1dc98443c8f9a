//go:build linux || darwin || dragonfly || freebsd || netbsd || openbsd

package term

import (
	"os"
	"os/signal"
	"sync"

	"golang.org/x/sys/unix"
)

// hide keeps a terminal from showing what is typed, and from making lines of it, until
// shown is called. While the process is suspended, the terminal shows what is typed;
// again is called when the process goes on.
func hide(f *os.File, again func()) (shown func(), err error) {
	fd := int(f.Fd())
	before, err := unix.IoctlGetTermios(fd, getTermios)
	if err != nil {
		return nil, err
	}
	hidden := *before
	hidden.Lflag &^= unix.ECHO | unix.ICANON
	hidden.Cc[unix.VMIN], hidden.Cc[unix.VTIME] = 1, 0
	suspended := make(chan os.Signal, 1)
	signal.Notify(suspended, unix.SIGTSTP)
	if err := unix.IoctlSetTermios(fd, setTermios, &hidden); err != nil {
		signal.Stop(suspended)
		return nil, err
	}
	var mu sync.Mutex
	over := false
	go func() {
		for range suspended {
			mu.Lock()
			if !over {
				_ = unix.IoctlSetTermios(fd, setTermios, before)
				suspend()
				_ = unix.IoctlSetTermios(fd, setTermios, &hidden)
				again()
			}
			mu.Unlock()
		}
	}()
	return func() {
		signal.Stop(suspended)
		close(suspended)
		mu.Lock()
		defer mu.Unlock()
		over = true
		_ = unix.IoctlSetTermios(fd, setTermios, before)
	}, nil
}

// suspend stops the process, and returns when it goes on. A thread may run on for a moment
// after it has sent the signal.
func suspend() {
	continued := make(chan os.Signal, 1)
	signal.Notify(continued, unix.SIGCONT)
	defer signal.Stop(continued)
	if unix.Kill(unix.Getpid(), unix.SIGSTOP) == nil {
		<-continued
	}
}
