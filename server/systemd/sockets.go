package systemd

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
)

// firstSocket is the file descriptor of the first socket.
const firstSocket = 3

// Sockets returns the listeners that the service manager passed, by their names, which
// must be among the known ones. It removes the variables that describe them. If it fails,
// all listeners are closed.
func Sockets(known ...string) (listeners map[string]net.Listener, err error) {
	process, count, names := os.Getenv("LISTEN_PID"), os.Getenv("LISTEN_FDS"), os.Getenv("LISTEN_FDNAMES")
	for _, name := range []string{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"} {
		_ = os.Unsetenv(name)
	}
	if count == "" || process != strconv.Itoa(os.Getpid()) {
		return nil, nil // they are for another process
	}
	handed, err := socketNames(count, names, known)
	if err != nil {
		return nil, err
	}
	files := make([]*os.File, len(handed))
	for i := range files {
		files[i] = os.NewFile(uintptr(firstSocket+i), "socket")
	}
	listeners = make(map[string]net.Listener)
	defer func() {
		for _, f := range files {
			_ = f.Close() // the listener has a copy
		}
		if err != nil {
			for _, ln := range listeners {
				_ = ln.Close()
			}
			listeners = nil
		}
	}()
	for i, f := range files {
		if listeners[handed[i]], err = listener(f); err != nil {
			delete(listeners, handed[i])
			return listeners, fmt.Errorf("the socket %q that was handed over cannot be used: %w", handed[i], err)
		}
	}
	return listeners, nil
}

// socketNames returns the names of the sockets that were handed over, from LISTEN_FDS and
// LISTEN_FDNAMES. Each is a known one, and there once.
func socketNames(count, names string, known []string) ([]string, error) {
	n, err := strconv.Atoi(count)
	if err != nil || n < 0 {
		return nil, errors.New("LISTEN_FDS: must be a number of sockets")
	}
	handed := strings.Split(names, ":")
	if len(handed) != n {
		return nil, fmt.Errorf("of %d sockets that were handed over, %d have names: %s", n, len(slices.DeleteFunc(handed, func(s string) bool { return s == "" })), advice(known))
	}
	for i, name := range handed {
		switch {
		case !slices.Contains(known, name):
			return nil, fmt.Errorf("a socket that was handed over has the name %q: %s", name, advice(known))
		case slices.Contains(handed[:i], name):
			return nil, fmt.Errorf("two sockets with the name %q were handed over: give each its own socket unit, with one ListenStream= (for IPv4 and IPv6 together, [::]:PORT)", name)
		}
	}
	return handed, nil
}

func listener(f *os.File) (net.Listener, error) {
	if !listens(f) {
		return nil, errors.New("it takes no connections: its unit needs ListenStream=, and Accept=no")
	}
	return net.FileListener(f)
}

// advice says how to name sockets.
func advice(known []string) string {
	return "FileDescriptorName= in its socket unit must be one of " + strings.Join(known, ", ")
}
