package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"github.com/digate/digate/server/certs/authority"
)

// A caller with a certificate shows it, and needs no token.
func TestConnect_ClientCertificate_IsShownAndNoTokenIsNeeded(t *testing.T) {
	t.Setenv("DIGATE_TOKEN", "")
	dir := t.TempDir()
	a, err := authority.New("authority")
	must(t, err)
	cert, key, err := a.Issue(authority.Request{Names: []string{"billing.example", "127.0.0.1"}})
	must(t, err)
	path := func(name string, text []byte) string {
		p := filepath.Join(dir, name)
		must(t, os.WriteFile(p, text, 0o600))
		return p
	}
	f := Flags{CAFile: path("ca.pem", a.PEM()), CertFile: path("c.pem", cert), KeyFile: path("k.pem", key), Account: "acme", Timeout: time.Minute}
	pair, err := tls.X509KeyPair(cert, key)
	must(t, err)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(a.PEM())
	var names, account, token []string
	srv := grpc.NewServer(
		grpc.Creds(credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool})),
		grpc.UnaryInterceptor(func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
			p, _ := peer.FromContext(ctx)
			names = p.AuthInfo.(credentials.TLSInfo).State.VerifiedChains[0][0].DNSNames
			md, _ := metadata.FromIncomingContext(ctx)
			account, token = md.Get("digate-account"), md.Get("authorization")
			return handler(ctx, req)
		}))
	healthv1.RegisterHealthServer(srv, health.NewServer())
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, err)
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(ln) }()
	t.Cleanup(func() { srv.Stop(); <-ended })
	f.Addr = ln.Addr().String()
	ctx, conn, done, err := f.Connect(t.Context())
	must(t, err)
	defer done()
	_, err = healthv1.NewHealthClient(conn).Check(ctx, new(healthv1.HealthCheckRequest))
	must(t, err)
	if !slices.Contains(names, "billing.example") || !slices.Equal(account, []string{"acme"}) || token != nil {
		t.Errorf("the server sees %q, %q, %q", names, account, token)
	}
	if words := strings.Join(f.Words(), " "); !strings.Contains(words, "--cert-file "+f.CertFile+" --key-file "+f.KeyFile) || !strings.Contains(words, "--account acme") {
		t.Errorf("another command would have %s", words)
	}
	for want, wrong := range map[string]Flags{
		"belong together":                     {CertFile: f.CertFile},
		"--key-file: there is no private key": {CertFile: f.CertFile, KeyFile: f.CAFile},
	} {
		if _, err := wrong.Credentials(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
