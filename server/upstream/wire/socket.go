package wire

import "net"

// socket is a counted connection that can tell what has arrived. It is below TLS.
type socket struct {
	*connection
	arrived arrived
	looking bool // Read does not wait
	secure  bool
	records records
}

func newSocket(c net.Conn, open *Connections, secure bool) (*socket, error) {
	s := &socket{connection: newConnection(c, open), secure: secure}
	return s, s.arrived.on(c)
}

// Read reads from the connection, and tracks the ends of TLS records.
func (s *socket) Read(p []byte) (n int, err error) {
	if s.looking {
		n, err = s.arrived.Read(p)
		s.received.Add(int64(n))
	} else {
		n, err = s.connection.Read(p)
	}
	if s.secure {
		s.records.follow(p[:n])
	}
	return n, err
}

// records tracks TLS records in the bytes of a connection. A partial record, which TLS
// has read but cannot decrypt yet, may be a part of a response.
type records struct {
	header [5]byte // of a record: its type, its version and its length
	have   int     // bytes of the header
	left   int     // remaining bytes of the record
}

// follow tracks the next bytes.
func (r *records) follow(p []byte) {
	for len(p) > 0 {
		if r.left > 0 {
			n := min(r.left, len(p))
			r.left -= n
			p = p[n:]
			continue
		}
		n := copy(r.header[r.have:], p)
		r.have += n
		p = p[n:]
		if r.have == len(r.header) {
			r.have, r.left = 0, int(r.header[3])<<8|int(r.header[4])
		}
	}
}

// whole reports whether the bytes end at the end of a record.
func (r *records) whole() bool { return r.have == 0 && r.left == 0 }
