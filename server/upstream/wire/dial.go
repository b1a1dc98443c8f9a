package wire

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"os"
)

// directTLS returns the TLS configuration of Direct for a host. It offers what the
// transport offers. It puts a request into one record, as it goes into one write, so that
// the system accepts it as a whole.
func (cfg *Config) directTLS(host string) *tls.Config {
	secure := cfg.clientTLS()
	secure.ServerName = host
	secure.DynamicRecordSizingDisabled = true
	if cfg.HTTP2 {
		secure.NextProtos = []string{"h2", "http/1.1"}
	}
	return secure
}

// connect returns a connection for an exchange: an idle one if there is one, and
// otherwise a new one or one that becomes idle meanwhile.
func (d *Direct) connect(ctx context.Context) (*directConn, error) {
	for {
		c, next := d.take()
		if c == nil {
			var err error
			if c, err = d.await(ctx, next); err != nil {
				return nil, err
			}
		}
		if !c.reused || c.quiet() {
			c.socket.use()
			return c, nil
		}
		c.socket.endsBy(endedByUpstream)
		_ = c.Close()
	}
}

// await dials, and returns the new connection or another one that becomes idle first. The
// dial continues if its call ends: otherwise no call would ever get a connection if each
// has less time than a dial takes.
func (d *Direct) await(ctx context.Context, next chan *directConn) (*directConn, error) {
	d.open.awaited.Add(1)
	defer d.open.awaited.Add(-1)
	failed := make(chan error, 1)
	go func() {
		c, err := d.dial(context.WithoutCancel(ctx))
		if err != nil {
			failed <- err
			return
		}
		d.give(c, next)
	}()
	select {
	case c := <-next:
		return c, nil
	case err := <-failed:
		if c := d.leave(next); c != nil {
			return c, nil
		}
		return nil, err
	case <-ctx.Done():
		if c := d.leave(next); c != nil {
			d.put(c)
		}
		return nil, ctx.Err()
	}
}

// dial opens a new connection.
func (d *Direct) dial(ctx context.Context) (*directConn, error) {
	raw, err := d.open.dialed((&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, "tcp", d.addr))
	if err != nil {
		return nil, err
	}
	s, err := newSocket(raw, d.open, d.secure != nil)
	if err == nil && !d.open.add(s.connection) {
		err = net.ErrClosed
	}
	c := &directConn{Conn: s, socket: s, of: d}
	if err == nil && d.secure != nil {
		c.Conn, err = d.handshake(ctx, s)
	}
	if err != nil {
		_ = s.Close()
		return nil, err
	}
	c.in = bufio.NewReader(c)
	return c, nil
}

// handshake returns TLS over a socket.
func (d *Direct) handshake(ctx context.Context, s *socket) (*tls.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	c := tls.Client(s, d.secure)
	if err := c.HandshakeContext(ctx); err != nil {
		if ctx.Err() != nil { // the error does not include the end of the caller's context
			err = fmt.Errorf("TLS handshake: %w", os.ErrDeadlineExceeded)
		}
		return nil, err
	}
	if isHTTP2(c) {
		d.http1.Store(false)
		_ = c.Close()
		return nil, ErrHTTP2
	}
	return c, nil
}
