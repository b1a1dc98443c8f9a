package server_test

import (
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/certs/certstest"
)

// overSocket returns an HTTP client of a Unix socket.
func overSocket(t *testing.T, path string) *http.Client {
	t.Helper()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// A Unix socket speaks plain text beside listeners that speak TLS. The path of a server
// that runs is not another's.
func TestSockets_EachListener_ServesOnItsOwnAndLeavesNothing(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	up.will(respond(201, nil, full))
	dir := t.TempDir()
	cfg := settings(t, up.url())
	withPair(t, certstest.NewAuthority(t), &cfg)
	cfg.GRPCAddr, cfg.HTTPAddr, cfg.AdminAddr = "unix:"+filepath.Join(dir, "grpc"), "unix:"+filepath.Join(dir, "rest"), "unix:"+filepath.Join(dir, "admin")
	cfg.SocketMode = "0620"
	log := new(record)
	s, err := newServer(t.Context(), cfg, log)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	log.await(t, 1, `"msg":"serving","version":"test","ledger":"memory","grpc":"`+cfg.GRPCAddr+`","rest":"`+cfg.HTTPAddr+`"`)
	conn, err := grpc.NewClient(cfg.GRPCAddr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := integrationv1.NewIntegrationServiceClient(conn).CopyTemplate(withToken(t.Context(), token), &integrationv1.CopyTemplateRequest{TemplateId: templateID}); err != nil {
		t.Errorf("gRPC: %v", err)
	}
	_ = conn.Close()
	rest := overSocket(t, filepath.Join(dir, "rest"))
	wantREST(t, send(t, rest, "POST", "http://digate", copyPath, "{}"), 201, "", "")
	rest.CloseIdleConnections()
	for _, name := range []string{"grpc", "rest", "admin"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != 0o620 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	other := settings(t, up.url())
	other.HTTPAddr = cfg.AdminAddr
	if _, err := newServer(t.Context(), other, new(record)); err == nil || err.Error() != "--http-addr: listen unix "+filepath.Join(dir, "admin")+": bind: address already in use" {
		t.Errorf("another server: %v", err)
	}
	if got := send(t, overSocket(t, filepath.Join(dir, "admin")), "GET", "http://localhost", "/readyz", ""); got.status != 200 {
		t.Errorf("admin: %d", got.status)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}
