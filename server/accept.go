package server

import (
	"errors"
	"log/slog"
	"net"
	"syscall"
	"time"
)

// acceptComplaints is the least time between two log lines about a listener.
const acceptComplaints = time.Minute

// watchedListener logs that connections cannot be accepted, for instance because too many
// files are open. Callers are not refused then: they wait, and nothing else shows why.
type watchedListener struct {
	net.Listener

	name   string
	log    *slog.Logger
	logged time.Time // when the last line was logged
}

// Accept implements [net.Listener]. It must not be called concurrently.
func (l *watchedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err == nil || errors.Is(err, net.ErrClosed) || time.Since(l.logged) < acceptComplaints {
		return conn, err
	}
	l.logged = time.Now()
	cause := err.Error()
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		cause = errno.Error()
	}
	l.log.Error("connections cannot be accepted", "listener", l.name, "cause", cause)
	return nil, err
}
