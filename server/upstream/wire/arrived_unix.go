//go:build unix

package wire

import (
	"errors"
	"io"
	"net"
	"syscall"
)

// canLook reports whether this system can tell, without waiting, what has arrived on a
// connection.
const canLook = true

// errNothing is the error of reading a connection on which nothing has arrived. It is
// temporary, so that TLS can continue later.
var errNothing error = syscall.EAGAIN

// arrived reads what has arrived on a connection, without waiting for more.
type arrived struct {
	raw  syscall.RawConn
	read func(fd uintptr) bool // bound once
	into []byte
	n    int
	err  error
}

// on makes it read from a connection.
func (a *arrived) on(c net.Conn) error {
	socket, ok := c.(syscall.Conn)
	if !ok {
		return errors.New("the connection is no socket")
	}
	var err error
	a.raw, err = socket.SyscallConn()
	a.read = func(fd uintptr) bool {
		a.n, a.err = syscall.Read(int(fd), a.into)
		return true
	}
	return err
}

// Read implements [io.Reader].
func (a *arrived) Read(p []byte) (int, error) {
	a.into = p
	err := a.raw.Read(a.read)
	a.into = nil
	switch {
	case err != nil:
		return 0, err
	case a.err != nil:
		return 0, a.err
	case a.n == 0:
		return 0, io.EOF
	default:
		return a.n, nil
	}
}
