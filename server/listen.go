package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/net/netutil"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/digate/digate/server/config"
	"github.com/digate/digate/server/handover"
	"github.com/digate/digate/server/handshake"
	"github.com/digate/digate/server/httpserver"
	"github.com/digate/digate/server/setting"
	"github.com/digate/digate/server/socket"
	"github.com/digate/digate/server/stall"
)

// listener is an address on which a server takes connections. The gRPC, REST
// and admin sides have one each.
type listener struct {
	flag, addr string
	handed     net.Listener // in place of the address; nil for none
	mode       fs.FileMode  // of a Unix socket
	limits     *limits      // nil for none
	tls        *security    // nil for plain text
	ln         net.Listener
	left       atomic.Bool
	handover   handover.Handover // of gRPC connections
	open       atomic.Int64      // connections
}

// security is the TLS of a listener.
type security struct {
	// current is what new connections are served with.
	current atomic.Pointer[tls.Config]
	pending atomic.Int64 // handshakes
	handshake.Config
}

// limits bound the connections of a listener.
type limits struct {
	connections int
	// writeStall is the longest time for which a connection may take nothing of
	// what is written to it.
	writeStall time.Duration
}

// CanListen binds the listeners of these settings and closes them again. Its error joins
// those of all that cannot be bound.
func CanListen(ctx context.Context, cfg config.Config) error {
	s := &Server{cfg: cfg}
	s.makeListeners(nil)
	err := s.bind(ctx)
	for _, l := range s.listeners() {
		l.close()
	}
	return err
}

func (s *Server) listeners() []*listener { return []*listener{s.grpc, s.rest, s.admin} }

// bind opens the addresses of all listeners. Its error joins those of all that cannot be
// opened.
func (s *Server) bind(ctx context.Context) error {
	var errs []error
	for _, l := range s.listeners() {
		if err := l.bind(ctx); err != nil {
			errs = append(errs, err)
		}
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(errs...)
}

// bind opens the address. The error names the flag.
func (l *listener) bind(ctx context.Context) error {
	ln, err := l.listen(ctx)
	if err != nil {
		err = fmt.Errorf("--%s: %w", l.flag, err)
		if errors.Is(err, socket.ErrNoSocket) {
			return setting.Mistaken(err)
		}
		return setting.OfPath(err)
	}
	if l.limits != nil {
		ln = netutil.LimitListener(stall.Listen(ln, l.limits.writeStall, &l.open), l.limits.connections)
	}
	if l.tls != nil {
		ln = handshake.Listen(ln, l.tls.Config)
	}
	l.ln = ln
	return nil
}

func (l *listener) listen(ctx context.Context) (net.Listener, error) {
	if l.handed != nil {
		return l.handed, nil
	}
	if path, ok := socket.Path(l.addr); ok {
		return socket.Listen(ctx, path, l.mode)
	}
	return new(net.ListenConfig).Listen(ctx, "tcp", l.addr)
}

// local reports whether the listener has a Unix socket. It speaks plain text, since
// nobody is in between.
func (l *listener) local() bool {
	if l.handed != nil {
		return l.handed.Addr().Network() == "unix"
	}
	_, ok := socket.Path(l.addr)
	return ok
}

// close releases the address. It may be called after a server closed it.
func (l *listener) close() {
	switch {
	case l.ln != nil:
		_ = l.ln.Close()
	case l.handed != nil:
		_ = l.handed.Close()
	}
}

// lastHandshakes is how long TLS handshakes may go on when a listener takes no more
// connections.
const lastHandshakes = time.Second

// leave closes the address before the server that serves it is stopped, which then gets
// the connections that were accepted: its serving returns when it has them all.
func (l *listener) leave() {
	l.left.Store(true)
	if secured, ok := l.ln.(*handshake.Listener); ok {
		secured.Drain()
		time.AfterFunc(lastHandshakes, l.close)
		return
	}
	l.close()
}

// serveHTTP serves HTTP until the server is closed or drained, which is no
// failure.
func (l *listener) serveHTTP(srv *httpserver.Server) error {
	serve := srv.Serve
	if l.tls == nil {
		serve = srv.ServePlain
	}
	if err := serve(l.ln); !errors.Is(err, http.ErrServerClosed) && !l.left.Load() {
		return err
	}
	return nil
}

// serveGRPC is serveHTTP for gRPC.
func (l *listener) serveGRPC(srv *grpc.Server) error {
	if err := srv.Serve(l.handover.Listen(l.ln)); !errors.Is(err, grpc.ErrServerStopped) && !l.left.Load() {
		return err
	}
	return nil
}

// credentials returns the transport credentials of the listener's gRPC server.
func (l *listener) credentials() credentials.TransportCredentials {
	if l.tls == nil {
		return handover.Credentials(insecure.NewCredentials())
	}
	return handover.Credentials(handshake.Credentials())
}
