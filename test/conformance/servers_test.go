package conformance

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	_ "google.golang.org/grpc/encoding/gzip" // as digate supports
	"google.golang.org/grpc/metadata"

	"github.com/digate/digate/server"
	"github.com/digate/digate/server/authn"
	"github.com/digate/digate/server/config"
	"github.com/digate/digate/server/inproc"
	"github.com/digate/digate/server/secret"
	conformancev1 "github.com/digate/digate/test/conformance/gen/connectrpc/conformance/v1"
)

// The servers that the suites test.
const (
	overWeb   = "digate (web)" // digate's REST listener, which speaks Connect and gRPC-Web to the same
	digate    = "digate"       // digate's gRPC listener, with the suite's service beside its own
	bare      = "grpc-go"      // a grpc-go server with default settings
	inprocess = "in-process"   // the same, whose handlers call the service through digate's in-process channel
	nethttp   = "net/http"     // a server of net/http, as digate's REST listener is
)

// settings are what a server under test is to have.
type settings struct {
	tls        bool
	cert, key  []byte // PEM
	clientCA   []byte // PEM; nil where callers need no certificate
	maxMessage int    // in bytes, 0 for the server's default
	maxStreams uint32 // of a connection, 0 for the server's default
}

// running is a server under test.
type running struct {
	grpc, rest net.Addr // nil where there is none
	stop       func() error
}

// start starts a server of the kind.
func start(ctx context.Context, kind string, s settings) (*running, error) {
	switch kind {
	case digate, overWeb:
		return startDigate(ctx, s)
	case bare:
		return startBare(ctx, s, func(r grpc.ServiceRegistrar) { conformancev1.RegisterConformanceServiceServer(r, service{}) })
	case inprocess:
		return startBare(ctx, s, func(r grpc.ServiceRegistrar) { r.RegisterService(throughChannel(), nil) })
	case nethttp:
		return startHTTP(ctx, s)
	default:
		return nil, fmt.Errorf("there is no server %q", kind)
	}
}

// startDigate starts a digate as server.New makes it.
func startDigate(ctx context.Context, s settings) (*running, error) {
	cfg := config.Defaults()
	cfg.GRPCAddr, cfg.HTTPAddr, cfg.AdminAddr = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	cfg.Upstream.URL = "http://127.0.0.1:1" // nobody calls it
	cfg.Gateway.WebRPC = true
	if s.maxMessage > 0 {
		cfg.MaxRequestBytes = int64(s.maxMessage)
	}
	files, err := os.MkdirTemp("", "digate-conformance-")
	if err != nil {
		return nil, err
	}
	if s.tls {
		if cfg.TLS.CertFile, cfg.TLS.KeyFile, cfg.TLS.ClientCAFile, err = s.write(files); err != nil {
			return nil, err
		}
	}
	srv, err := server.New(ctx, cfg, server.Options{
		Version: "conformance", Log: slog.New(slog.DiscardHandler),
		Services:      func(r grpc.ServiceRegistrar) { conformancev1.RegisterConformanceServiceServer(r, service{}) },
		Authenticator: anybody{},
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- srv.Run(ctx) }()
	return &running{srv.GRPCAddr(), srv.HTTPAddr(), func() error {
		cancel()
		return errors.Join(<-ended, os.RemoveAll(files))
	}}, nil
}

// write writes the certificates into a folder, and returns the files. The last is empty
// where callers need no certificate.
func (s *settings) write(folder string) (cert, key, clientCA string, err error) {
	put := func(name string, content []byte) string {
		if content == nil || err != nil {
			return ""
		}
		path := filepath.Join(folder, name)
		err = os.WriteFile(path, content, 0o600)
		return path
	}
	return put("cert.pem", s.cert), put("key.pem", s.key), put("clients.pem", s.clientCA), err
}

// anybody takes every caller for the suite, which has no credential.
type anybody struct{}

// Authenticate implements [authn.Authenticator].
func (anybody) Authenticate(context.Context, authn.Request) (*authn.Principal, error) {
	return authn.NewPrincipal(secret.New("suite"), func(string) string { return "suite" }), nil
}

// Close implements [authn.Authenticator].
func (anybody) Close() error { return nil }

// startBare starts a grpc-go server with default settings.
func startBare(ctx context.Context, s settings, register func(grpc.ServiceRegistrar)) (*running, error) {
	var options []grpc.ServerOption
	if s.tls {
		config, err := s.config()
		if err != nil {
			return nil, err
		}
		options = append(options, grpc.Creds(credentials.NewTLS(config)))
	}
	if s.maxMessage > 0 {
		options = append(options, grpc.MaxRecvMsgSize(s.maxMessage))
	}
	if s.maxStreams > 0 {
		options = append(options, grpc.MaxConcurrentStreams(s.maxStreams))
	}
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	srv := grpc.NewServer(options...)
	register(srv)
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(ln) }()
	return &running{ln.Addr(), nil, func() error {
		srv.Stop()
		return <-ended
	}}, nil
}

// startHTTP starts a server of net/http that speaks HTTP/2 and has no route.
func startHTTP(ctx context.Context, s settings) (*running, error) {
	srv := &http.Server{Handler: http.NotFoundHandler(), Protocols: new(http.Protocols), ReadHeaderTimeout: time.Minute}
	srv.Protocols.SetHTTP1(true)
	srv.Protocols.SetHTTP2(true)
	srv.Protocols.SetUnencryptedHTTP2(true)
	srv.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	serve := func() error { return srv.Serve(ln) }
	if s.tls {
		if srv.TLSConfig, err = s.config(); err != nil {
			return nil, err
		}
		serve = func() error { return srv.ServeTLS(ln, "", "") }
	}
	ended := make(chan error, 1)
	go func() { ended <- serve() }()
	return &running{nil, ln.Addr(), func() error {
		err := srv.Close()
		if ended := <-ended; !errors.Is(ended, http.ErrServerClosed) {
			err = errors.Join(err, ended)
		}
		return err
	}}, nil
}

// config returns the TLS of a server that is not digate.
func (s *settings) config() (*tls.Config, error) {
	pair, err := tls.X509KeyPair(s.cert, s.key)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	if s.clientCA != nil {
		config.ClientCAs, config.ClientAuth = x509.NewCertPool(), tls.RequireAndVerifyClientCert
		if !config.ClientCAs.AppendCertsFromPEM(s.clientCA) {
			return nil, errors.New("the authority of the clients is no certificate")
		}
	}
	return config, nil
}

// throughChannel returns the description of a service whose calls are the suite's, made
// through digate's in-process channel.
func throughChannel() *grpc.ServiceDesc {
	channel := inproc.New(inproc.Options{Unary: []grpc.UnaryServerInterceptor{passTrailer}})
	conformancev1.RegisterConformanceServiceServer(channel, service{})

	desc := conformancev1.ConformanceService_ServiceDesc
	proxy := grpc.ServiceDesc{ServiceName: desc.ServiceName}
	for _, m := range desc.Methods {
		name := "/" + desc.ServiceName + "/" + m.MethodName
		m.Handler = func(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			resp, header, err := channel.Call(context.WithValue(ctx, callerKey{}, ctx), name, decode)
			if sent := grpc.SetHeader(ctx, header); sent != nil && err == nil {
				err = sent
			}
			return resp, err
		}
		proxy.Methods = append(proxy.Methods, m)
	}
	for _, m := range desc.Streams {
		name := "/" + desc.ServiceName + "/" + m.StreamName
		m.Handler = func(_ any, ss grpc.ServerStream) error { return channel.Serve(ss.Context(), name, ss) }
		proxy.Streams = append(proxy.Streams, m)
	}
	return &proxy
}

// callerKey is the key of the context from which a call through the channel was made.
type callerKey struct{}

// passTrailer passes the trailer of a unary call on to its caller, which [inproc.Channel.Call]
// does not: REST responses have none.
func passTrailer(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	own := grpc.ServerTransportStreamFromContext(ctx)
	callers := grpc.ServerTransportStreamFromContext(ctx.Value(callerKey{}).(context.Context))
	return handler(grpc.NewContextWithServerTransportStream(ctx, trailing{own, callers}), req)
}

// trailing is a call's transport, whose trailer is the caller's.
type trailing struct {
	grpc.ServerTransportStream

	caller grpc.ServerTransportStream
}

// SetTrailer implements [grpc.ServerTransportStream].
func (t trailing) SetTrailer(md metadata.MD) error { return t.caller.SetTrailer(md) }
