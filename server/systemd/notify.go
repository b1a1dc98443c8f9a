// Package systemd speaks with the service manager that started the process: it tells how
// far the process is (sd_notify(3)), and takes the sockets that it was handed
// (sd_listen_fds(3)). Without such a manager nothing happens.
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

// Notifier tells the service manager how far the process is. A nil Notifier tells nobody.
// Many goroutines may use it.
type Notifier struct {
	socket   string
	watchdog time.Duration
}

// OpenNotifier returns the notifier that the environment names, nil if it names none. The
// variables are gone afterwards: they are meant for this process alone.
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

// Serving tells that the process serves, and how.
func (n *Notifier) Serving(status string) { n.tell("READY=1", "STATUS="+status) }

// Stopping tells that the process is about to end.
func (n *Notifier) Stopping(status string) { n.tell("STOPPING=1", "STATUS="+status) }

// Reload tells that the process reads its files anew while reload runs, and then that it
// serves as before.
func (n *Notifier) Reload(reload func()) {
	n.tell("RELOADING=1", fmt.Sprint("MONOTONIC_USEC=", monotonic().Microseconds()))
	reload()
	n.tell("READY=1")
}

// Watch tells the manager's watchdog that the process is alive, as often as the manager
// wants it, and only while check returns no error. Each check may take as long as the
// time between two of them. Watch returns when the context ends, and at once if there is
// no watchdog. Failed is told of each check that failed.
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

// tell sends the assignments in one message. A manager that cannot be reached is one that
// waits for nothing.
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
