package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/net/netutil"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// listener is an address on which a server takes connections. The gRPC, REST
// and admin sides have one each.
type listener struct {
	flag, addr string
	limits     *limits     // nil for none
	tls        *tls.Config // nil for plain text
	ln         net.Listener
	left       atomic.Bool
}

// limits bound the connections of a listener.
type limits struct {
	connections int
	// writeStall is the longest time for which a connection may take nothing of
	// what is written to it.
	writeStall time.Duration
}

// bind opens the address. The error names the flag.
func (l *listener) bind(ctx context.Context) error {
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", l.addr)
	if err != nil {
		return fmt.Errorf("--%s: %w", l.flag, err)
	}
	if l.limits != nil {
		ln = netutil.LimitListener(&stallListener{ln, l.limits.writeStall}, l.limits.connections)
	}
	l.ln = ln
	return nil
}

// close releases the address. It may be called after a server closed it.
func (l *listener) close() {
	if l.ln != nil {
		_ = l.ln.Close()
	}
}

// leave closes the address before the server that serves it is stopped.
func (l *listener) leave() {
	l.left.Store(true)
	l.close()
}

// serveHTTP serves HTTP until the server is closed or drained, which is no
// failure.
func (l *listener) serveHTTP(srv *http.Server) error {
	var err error
	if l.tls != nil {
		srv.TLSConfig = l.tls
		err = srv.ServeTLS(l.ln, "", "")
	} else {
		err = srv.Serve(l.ln)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// serveGRPC is serveHTTP for gRPC.
func (l *listener) serveGRPC(srv *grpc.Server) error {
	if err := srv.Serve(l.ln); !errors.Is(err, grpc.ErrServerStopped) && !l.left.Load() {
		return err
	}
	return nil
}

// credentials returns the transport credentials of the listener's gRPC server.
func (l *listener) credentials() credentials.TransportCredentials {
	if l.tls == nil {
		return insecure.NewCredentials()
	}
	return credentials.NewTLS(l.tls)
}
