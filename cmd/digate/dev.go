package main

import (
	"context"
	"fmt"
	"os"

	"golang.org/x/sync/errgroup"

	"github.com/digate/digate/server"
	"github.com/digate/digate/server/config"
	"github.com/digate/digate/server/telemetry"
)

// devCmd has the addresses alone of serve's settings, all on loopback: what
// else there is to set has its default.
type devCmd struct {
	GRPCAddr   string `name:"grpc-addr" default:"127.0.0.1:9090" help:"Address of the gRPC listener."`
	HTTPAddr   string `name:"http-addr" default:"127.0.0.1:8080" help:"Address of the REST listener."`
	AdminAddr  string `name:"admin-addr" default:"127.0.0.1:9091" help:"Address of the admin listener."`
	VendorAddr string `name:"vendor-addr" default:"127.0.0.1:8090" help:"Address of the stand-in for Diga."`

	vendorFlags `embed:""`
}

func (c *devCmd) Run(ctx context.Context, std stdio) error {
	v, err := newVendor(c.VendorAddr, c.vendorFlags)
	if err != nil {
		return err
	}
	cfg, err := config.Defaults()
	if err != nil {
		return err
	}
	cfg.GRPCAddr, cfg.HTTPAddr, cfg.AdminAddr, cfg.UpstreamURL = c.GRPCAddr, c.HTTPAddr, c.AdminAddr, v.url()
	s, err := server.Build(cfg, version(), telemetry.NewLogger(std.err, cfg.LogLevel))
	if err != nil {
		_ = v.ln.Close()
		return err
	}
	fmt.Fprint(std.out, welcome(s, v))
	// The stand-in goes last, so that calls under way can end.
	vendorCtx, stopVendor := context.WithCancel(context.WithoutCancel(ctx))
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return v.run(vendorCtx) })
	g.Go(func() error {
		defer stopVendor()
		return s.Run(ctx)
	})
	return g.Wait()
}

// welcome says what to try, in lines that can be pasted.
func welcome(s *server.Server, v *vendor) string {
	template := v.emulator.Templates()[0].ID
	grpcAddr, rest := s.GRPCAddr().String(), "http://"+s.HTTPAddr().String()
	return fmt.Sprintf(`digate %s
  gRPC   %s
  REST   %s
  admin  http://%s/metrics, /healthz, /readyz
  Diga   %s (a stand-in; any bearer token is an account of its own)

Try, in another terminal:

  curl -i %s/v1/integration/template/%s/copy \
    -H 'Authorization: Bearer dev' -H 'Content-Type: application/json' \
    -d '{"name": "first", "api_key": "k-123", "variables": {}}'

  grpcurl -plaintext -H 'authorization: Bearer dev' \
    -d '{"template_id": "%s", "name": "second"}' \
    %s diga.integration.v1.IntegrationService/CopyTemplate

  DIGATE_TOKEN=dev %s copy %s --addr %s --name third

Templates of the stand-in:

%s
%s
`, version(), grpcAddr, rest, s.AdminAddr(), v.url(),
		rest, template, template, grpcAddr, self(), template, grpcAddr,
		templateList(v.emulator), faultHelp())
}

// self is how this program can be called again: `go run` leaves nothing that
// could be.
func self() string {
	if exe, err := os.Executable(); err == nil && !isTemporary(exe) {
		return exe
	}
	return "go run ./cmd/digate"
}

func isTemporary(path string) bool {
	return len(path) > len(os.TempDir()) && path[:len(os.TempDir())] == os.TempDir()
}
