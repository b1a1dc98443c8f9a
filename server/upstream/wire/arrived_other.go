//go:build !unix

package wire

import (
	"errors"
	"io"
	"net"
)

// canLook reports whether this system can tell, without waiting, what has arrived on a
// connection.
const canLook = false

var errNothing = errors.New("nothing has arrived")

type arrived struct{}

func (*arrived) on(net.Conn) error { return nil }

func (*arrived) Read([]byte) (int, error) { return 0, io.EOF }
