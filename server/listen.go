package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
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

// listener is an address on which the server accepts connections. gRPC, REST and the
// admin side have one each.
type listener struct {
	name, flag, addr string
	inherited        net.Listener // used instead of binding addr; may be nil
	mode             fs.FileMode  // of a Unix socket
	log              *slog.Logger
	limits           *limits      // may be nil
	tls              *listenerTLS // nil for plain text
	ln               net.Listener
	left             atomic.Bool
	handover         handover.Handover // counts gRPC connections that were accepted and not yet served
	open             atomic.Int64      // number of open connections
}

// listenerTLS is the TLS configuration of a listener.
type listenerTLS struct {
	// current is the configuration for new connections.
	current atomic.Pointer[tls.Config]
	pending atomic.Int64 // number of TLS handshakes in progress
	handshake.Config
}

// limits are the limits on a listener's connections.
type limits struct {
	connections int
	// writeStall is how long a client may read nothing while the server writes to it.
	writeStall time.Duration
}

// CanListen binds the listeners of these settings and closes them again. Its error joins
// the errors of all listeners.
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

// bind starts to listen on all addresses. Its error joins the errors of all listeners.
func (s *Server) bind(ctx context.Context) error {
	var errs []error
	for _, l := range s.listeners() {
		err := l.bind(ctx)
		if other := s.boundAt(l.addr, l); err != nil && other != nil {
			err = setting.Mistaken(fmt.Errorf("--%s: %s is the address of --%s too", l.flag, l.addr, other.flag))
		}
		if err != nil {
			errs = append(errs, err)
		}
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(errs...)
}

// boundAt returns the other listener that listens on an address of the settings, or nil.
func (s *Server) boundAt(addr string, l *listener) *listener {
	for _, other := range s.listeners() {
		if other != l && other.ln != nil && other.inherited == nil && other.addr == addr {
			return other
		}
	}
	return nil
}

// bind starts to listen on the address. Its error names the flag.
func (l *listener) bind(ctx context.Context) error {
	ln, err := l.listen(ctx)
	if err != nil {
		err = fmt.Errorf("--%s: %w", l.flag, err)
		if errors.Is(err, socket.ErrNoSocket) {
			return setting.Mistaken(err)
		}
		return setting.OfPath(err)
	}
	ln = &watchedListener{Listener: ln, name: l.name, log: l.log}
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
	if l.inherited != nil {
		return l.inherited, nil
	}
	if path, ok := socket.Path(l.addr); ok {
		return socket.Listen(ctx, path, l.mode)
	}
	return new(net.ListenConfig).Listen(ctx, "tcp", l.addr)
}

// local reports whether the listener has a Unix socket. A Unix socket has no TLS, since
// its data crosses no network.
func (l *listener) local() bool {
	if l.inherited != nil {
		return l.inherited.Addr().Network() == "unix"
	}
	_, ok := socket.Path(l.addr)
	return ok
}

// close stops listening. It may be called after a server has closed the listener.
func (l *listener) close() {
	switch {
	case l.ln != nil:
		_ = l.ln.Close()
	case l.inherited != nil:
		_ = l.inherited.Close()
	}
}

// lastHandshakes is how long TLS handshakes may take after the listener has stopped
// accepting connections.
const lastHandshakes = time.Second

// leave stops accepting connections before the listener's server stops. The server still
// gets the connections that were accepted, and its Serve method returns when it has them
// all.
func (l *listener) leave() {
	l.left.Store(true)
	if secured, ok := l.ln.(*handshake.Listener); ok {
		secured.Drain()
		time.AfterFunc(lastHandshakes, l.close)
		return
	}
	l.close()
}

// serveHTTP serves HTTP until the server is closed or drained. Neither is an error.
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

// serveGRPC serves gRPC until the server is stopped, which is not an error.
func (l *listener) serveGRPC(srv *grpc.Server) error {
	if err := srv.Serve(l.handover.Listen(l.ln)); !errors.Is(err, grpc.ErrServerStopped) && !l.left.Load() {
		return err
	}
	return nil
}

// credentials returns the transport credentials for the listener's gRPC server.
func (l *listener) credentials() credentials.TransportCredentials {
	if l.tls == nil {
		return handover.Credentials(insecure.NewCredentials())
	}
	return handover.Credentials(handshake.Credentials())
}
