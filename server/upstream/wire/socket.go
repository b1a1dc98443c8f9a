package wire

import "net"

// socket is a counted connection that tells what has arrived. It lies below TLS.
type socket struct {
	*connection
	arrived arrived
	looking bool // a Read does not wait
	secure  bool
	records records
}

func newSocket(c net.Conn, open *Connections, secure bool) (*socket, error) {
	s := &socket{connection: newConnection(c, open), secure: secure}
	return s, s.arrived.on(c)
}

// Read reads, and notes where the records end.
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

// records follows the records of TLS through the bytes of a connection. A part of a
// record, which TLS has read and cannot open yet, may be a part of a response.
type records struct {
	header [5]byte // of a record: its type, its version and the length of what follows
	have   int     // bytes of the header
	left   int     // bytes of what follows it
}

// follow takes note of the bytes that come next.
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

// whole reports whether the bytes end with a record.
func (r *records) whole() bool { return r.have == 0 && r.left == 0 }
