package server

import (
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/certs/authority"
	"github.com/digate/digate/server/certs/certstest"
	"github.com/digate/digate/server/config"
	"github.com/digate/digate/server/gateway"
)

// peerKeeper is a service that keeps the peer of each call.
type peerKeeper struct {
	integrationv1.UnimplementedIntegrationServiceServer

	seen chan *peer.Peer
}

func (p *peerKeeper) keep(ctx context.Context) {
	seen, _ := peer.FromContext(ctx)
	p.seen <- seen
}

func (p *peerKeeper) CopyTemplate(ctx context.Context, _ *integrationv1.CopyTemplateRequest) (*integrationv1.CopyTemplateResponse, error) {
	p.keep(ctx)
	return &integrationv1.CopyTemplateResponse{Integration: &integrationv1.Integration{Id: "i"}}, nil
}

func (p *peerKeeper) BulkCopyTemplate(ss grpc.BidiStreamingServer[integrationv1.BulkCopyTemplateRequest, integrationv1.BulkCopyTemplateResponse]) error {
	p.keep(ss.Context())
	return nil
}

// serving serves a service on both protocols of a server that is not run, and returns
// their addresses.
func (p *peerKeeper) serving(t *testing.T, cfg config.Config) (grpcAddr, restAddr string) {
	t.Helper()
	cfg.GRPCAddr, cfg.HTTPAddr, cfg.AdminAddr, cfg.Upstream.URL = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0", "http://127.0.0.1:1"
	s, err := New(t.Context(), cfg, Options{Version: "test", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	contracts, err := gateway.New(s.gatewayConfig(s.newChannel(p)))
	if err != nil {
		t.Fatal(err)
	}
	routes, err := s.newRoutes(contracts, nil, Options{})
	if err != nil {
		t.Fatal(err)
	}
	rest, rpc := s.newREST(routes), s.newGRPC(p, nil)
	ended := make(chan error, 2)
	go func() { ended <- s.rest.serveHTTP(rest) }()
	go func() { ended <- s.grpc.serveGRPC(rpc) }()
	t.Cleanup(func() {
		_ = rest.Close()
		rpc.Stop()
		for range 2 {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
		s.Close()
	})
	return s.GRPCAddr().String(), s.HTTPAddr().String()
}

// A handler sees its caller alike on both protocols: the address of its connection, and
// its certificate as it was verified.
func TestPeer_OfTheCaller_IsSeenByHandlersOnBothProtocols(t *testing.T) {
	t.Parallel()
	a, callers := certstest.NewAuthority(t), certstest.NewAuthority(t)
	for _, secured := range []bool{false, true} {
		cfg, scheme := config.Defaults(), "http"
		var client *tls.Config
		creds := insecure.NewCredentials()
		if secured {
			cfg.TLS.CertFile, cfg.TLS.KeyFile = a.Pair(t, t.TempDir(), "127.0.0.1")
			cfg.TLS.ClientCAFile, scheme = callers.File, "https"
			client = a.Client(t, callers.Certificate(t, authority.Request{Names: []string{"billing.example"}}))
			creds = credentials.NewTLS(client.Clone())
		}
		p := &peerKeeper{seen: make(chan *peer.Peer, 1)}
		grpcAddr, restAddr := p.serving(t, cfg)
		var from net.Addr
		dialer := func(ctx context.Context, to string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, "tcp", to)
			if err == nil {
				from = conn.LocalAddr()
			}
			return conn, err
		}
		check := func(how string) {
			t.Helper()
			seen := <-p.seen
			if seen == nil || seen.Addr == nil || seen.Addr.String() != from.String() {
				t.Errorf("%s: the peer is %v, want one at %v", how, seen, from)
				return
			}
			info, ok := seen.AuthInfo.(credentials.TLSInfo)
			if ok != secured {
				t.Errorf("%s: the peer has %T", how, seen.AuthInfo)
			}
			if secured && (len(info.State.VerifiedChains) != 1 || info.State.VerifiedChains[0][0].DNSNames[0] != "billing.example" ||
				info.SecurityLevel != credentials.PrivacyAndIntegrity) {
				t.Errorf("%s: the certificate was not verified: %+v", how, info)
			}
		}
		conn, err := grpc.NewClient("passthrough:///"+grpcAddr, grpc.WithTransportCredentials(creds), grpc.WithContextDialer(dialer))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer t")
		rpc := integrationv1.NewIntegrationServiceClient(conn)
		if _, err := rpc.CopyTemplate(ctx, &integrationv1.CopyTemplateRequest{}); err != nil {
			t.Fatal(err)
		}
		check(scheme + ", a gRPC call")
		stream, err := rpc.BulkCopyTemplate(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Recv(); err == nil {
			t.Error("the stream has a message")
		}
		check(scheme + ", a gRPC stream")

		for _, http2 := range []bool{false, true} {
			protocols := new(http.Protocols)
			protocols.SetHTTP1(!http2)
			protocols.SetHTTP2(http2 && secured)
			protocols.SetUnencryptedHTTP2(http2 && !secured)
			transport := &http.Transport{
				Protocols: protocols, TLSClientConfig: client.Clone(),
				DialContext: func(ctx context.Context, _, to string) (net.Conn, error) { return dialer(ctx, to) },
			}
			t.Cleanup(transport.CloseIdleConnections)
			for path, body := range map[string]string{
				"/v1/integration/template/3c90c3cc-0d44-4b50-8888-8dd25736052a/copy": "{}",
				"/v1/integration/template:bulkCopy":                                  `{"copy":{"template_id":"3c90c3cc-0d44-4b50-8888-8dd25736052a","request_id":"r"}}` + "\n",
			} {
				r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, scheme+"://"+restAddr+path, strings.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				r.Header.Set("Authorization", "Bearer t")
				resp, err := transport.RoundTrip(r)
				if err != nil {
					t.Fatal(err)
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
				check(resp.Proto + " over " + scheme + ", " + path)
			}
		}
	}
}
