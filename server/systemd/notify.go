// Package systemd communicates with the service manager that started the process: it
// reports the state of the process (sd_notify(3)) and uses the sockets that the manager
// passes (sd_listen_fds(3)). Without such a manager it does nothing.
package systemd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// Notifier reports the state of the process to the service manager. A nil Notifier does
// nothing. It is safe for concurrent use.
type Notifier struct {
	socket   string
	watchdog time.Duration
}

// OpenNotifier returns the notifier that the environment describes, or nil. It removes
// the variables, because they are only for this process.
func OpenNotifier() (*Notifier, error) {
	socket := os.Getenv("NOTIFY_SOCKET")
	watchdog, ofProcess := os.Getenv("WATCHDOG_USEC"), os.Getenv("WATCHDOG_PID")
	for _, name := range []string{"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"} {
		_ = os.Unsetenv(name)
	}
	if socket == "" {
		return nil, nil
	}
	if !strings.HasPrefix(socket, "/") && !strings.HasPrefix(socket, "@") {
		return nil, errors.New("NOTIFY_SOCKET: must be a path or an abstract address")
	}
	n := &Notifier{socket: socket}
	if watchdog != "" && (ofProcess == "" || ofProcess == strconv.Itoa(os.Getpid())) {
		us, err := strconv.ParseUint(watchdog, 10, 62)
		if err != nil || us == 0 {
			return nil, errors.New("WATCHDOG_USEC: must be a number of microseconds")
		}
		n.watchdog = time.Duration(us) * time.Microsecond
	}
	return n, nil
}

// Serving reports that the process serves. The status is a text for people.
func (n *Notifier) Serving(status string) { n.tell("READY=1", "STATUS="+status) }

// Stopping reports that the process is about to end.
func (n *Notifier) Stopping(status string) { n.tell("STOPPING=1", "STATUS="+status) }

// Reload reports that the process is reloading while reload runs, and then that it serves
// again.
func (n *Notifier) Reload(reload func()) {
	n.tell("RELOADING=1", fmt.Sprint("MONOTONIC_USEC=", monotonic().Microseconds()))
	reload()
	n.tell("READY=1")
}

// Watch tells the manager's watchdog that the process is alive, at the interval that the
// manager requires and only if check returns no error. Each check may take as long as the
// interval. Watch returns when the context ends, or at once if there is no watchdog. It
// calls failed for each failed check.
func (n *Notifier) Watch(ctx context.Context, check func(context.Context) error, failed func(error)) {
	if n == nil || n.watchdog == 0 {
		return
	}
	every := n.watchdog / 2 // as sd_watchdog_enabled(3) recommends
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		checking, cancel := context.WithTimeout(ctx, every)
		err := check(checking)
		cancel()
		switch {
		case err == nil:
			n.tell("WATCHDOG=1")
		case ctx.Err() == nil:
			failed(err)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// tell sends assignments in one message. It ignores errors: a manager that cannot be
// reached waits for nothing.
func (n *Notifier) tell(assignments ...string) {
	if n == nil {
		return
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: n.socket, Net: "unixgram"})
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	_, _ = conn.Write([]byte(strings.Join(assignments, "\n")))
}
