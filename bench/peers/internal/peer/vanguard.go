package peer

import (
	"net/http"
	"net/http/httputil"
	"net/url"
	"time"

	"connectrpc.com/vanguard"

	peersv1 "github.com/digate/digate/bench/peers/gen/peers/v1"
	"github.com/digate/digate/bench/peers/internal/process"
)

// serveVanguard serves vanguard-go, which turns gRPC into REST in front of a reverse
// proxy, with a pool of idle connections that is large enough.
func serveVanguard(s Settings, _ *Control) (process.Serving, error) {
	proxy, err := s.reverseProxy()
	if err != nil {
		return process.Serving{}, err
	}
	service := vanguard.NewServiceWithSchema(
		peersv1.File_peers_v1_peers_proto.Services().Get(0), proxy, vanguard.WithTargetProtocols(vanguard.ProtocolREST),
	)
	// Diga's names are those of the .proto.
	names := vanguard.WithCodec(func(resolver vanguard.TypeResolver) vanguard.Codec {
		codec := vanguard.NewJSONCodec(resolver)
		codec.MarshalOptions.UseProtoNames, codec.MarshalOptions.EmitUnpopulated = true, false
		return codec
	})
	transcoder, err := vanguard.NewTranscoder([]*vanguard.Service{service}, names)
	if err != nil {
		return process.Serving{}, err
	}
	addr, err := s.serveHTTP(transcoder)
	return process.Serving{GRPC: addr}, err
}

// serveReverseProxy serves httputil.ReverseProxy, with a pool of idle connections
// that is large enough.
func serveReverseProxy(s Settings, _ *Control) (process.Serving, error) {
	proxy, err := s.reverseProxy()
	if err != nil {
		return process.Serving{}, err
	}
	addr, err := s.serveHTTP(proxy)
	return process.Serving{REST: addr}, err
}

func (s Settings) reverseProxy() (*httputil.ReverseProxy, error) {
	base, err := url.Parse(s.Upstream)
	if err != nil {
		return nil, err
	}
	transport, err := s.transport()
	return &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(base) },
		Transport: transport,
	}, err
}

// serveHTTP serves HTTP/1.1 and HTTP/2, which gRPC needs.
func (s Settings) serveHTTP(handler http.Handler) (addr string, err error) {
	ln, err := Settings{}.listen()
	if err != nil {
		return "", err
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	config, err := s.serverTLS()
	if err != nil {
		return "", err
	}
	server := &http.Server{
		Handler: handler, Protocols: protocols, TLSConfig: config, ReadHeaderTimeout: time.Minute,
		HTTP2: &http.HTTP2Config{MaxConcurrentStreams: 1000},
	}
	go func() {
		if config == nil {
			panic(server.Serve(ln))
		}
		panic(server.ServeTLS(ln, "", ""))
	}()
	return ln.Addr().String(), nil
}
