//go:build unix

package wire

import (
	"errors"
	"net"
	"syscall"
)

// canCheck reports whether this system tells if anything has arrived on a connection,
// without waiting for it.
const canCheck = true

// silenceCheck looks at what has arrived on a connection.
type silenceCheck struct {
	raw    syscall.RawConn
	read   func(fd uintptr) bool // bound once
	silent bool
}

// of makes it the check of a connection.
func (s *silenceCheck) of(c net.Conn) error {
	socket, ok := c.(syscall.Conn)
	if !ok {
		return errors.New("the connection is no socket")
	}
	var err error
	s.raw, err = socket.SyscallConn()
	s.read = func(fd uintptr) bool {
		var one [1]byte
		_, err := syscall.Read(int(fd), one[:])
		s.silent = errors.Is(err, syscall.EAGAIN)
		return true
	}
	return err
}

// quiet reports whether nothing has arrived: neither a byte, which is lost, nor the end
// of the connection.
func (s *silenceCheck) quiet() bool {
	s.silent = false
	return s.raw.Read(s.read) == nil && s.silent
}
