package main

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/digate/digate/server"
	"github.com/digate/digate/server/config"
	"github.com/digate/digate/server/telemetry"
)

// devCmd has the addresses alone of serve's settings, all on loopback: what
// else there is to set has its default.
type devCmd struct {
	GRPCAddr   string `name:"grpc-addr" group:"Addresses:" default:"127.0.0.1:9090" help:"The gRPC listener."`
	HTTPAddr   string `name:"http-addr" group:"Addresses:" default:"127.0.0.1:8080" help:"The REST listener."`
	AdminAddr  string `name:"admin-addr" group:"Addresses:" default:"127.0.0.1:9091" help:"The admin listener."`
	VendorAddr string `name:"vendor-addr" group:"Addresses:" default:"127.0.0.1:8090" help:"The stand-in for Diga."`

	vendorFlags `embed:""`
}

// Help is shown by --help.
func (devCmd) Help() string { return "Port 0 takes any free one." }

// devGrace is how long calls may go on after the first signal. It is short,
// since a stand-in that hangs on purpose would hold its caller for long.
const devGrace = 2 * time.Second

func (c *devCmd) Run(ctx context.Context, std stdio) error {
	v, err := newVendor("vendor-addr", c.VendorAddr, c.vendorFlags)
	if err != nil {
		return err
	}
	cfg, err := config.Defaults()
	if err != nil {
		return err
	}
	cfg.GRPCAddr, cfg.HTTPAddr, cfg.AdminAddr, cfg.UpstreamURL = c.GRPCAddr, c.HTTPAddr, c.AdminAddr, v.url()
	s, err := server.New(ctx, cfg, server.Options{Version: version(), Log: telemetry.NewLogger(std.err, cfg.LogLevel)})
	if err != nil {
		_ = v.ln.Close()
		return err
	}
	fmt.Fprint(std.out, welcome(s, v))
	// The stand-in goes last, so that calls under way can end.
	vendorCtx, stopVendor := context.WithCancel(context.WithoutCancel(ctx))
	g, ctx := errgroup.WithContext(ctx)
	defer context.AfterFunc(ctx, func() { time.AfterFunc(devGrace, v.emulator.Close) })()
	g.Go(func() error { return v.run(vendorCtx) })
	g.Go(func() error {
		defer stopVendor()
		return s.Run(ctx)
	})
	return g.Wait()
}

// welcome says what there is and what to try, in lines that can be pasted. They
// come last, where a terminal shows them.
func welcome(s *server.Server, v *vendor) string {
	template := v.emulator.Templates()[0].ID
	grpcAddr := dialable(s.GRPCAddr())
	return fmt.Sprintf(`%s
digate %s
  gRPC   %s
  REST   %s
  admin  %s (/metrics, /healthz, /readyz, /debug/pprof/)
  Diga   %s (a stand-in; any bearer token is an account of its own)

Try, in another terminal:

  curl -i %s \
    -H 'Authorization: Bearer dev' -H 'Content-Type: application/json' \
    -d '{"name": "first", "api_key": "k-123", "variables": {}}'

  grpcurl -plaintext -H 'authorization: Bearer dev' \
    -d '{"template_id": "%s", "name": "second"}' \
    %s diga.integration.v1.IntegrationService/CopyTemplate

  DIGATE_TOKEN=dev %s copy \
    %s --name third --addr %s

Ctrl-C ends it. Its log:

`, catalogue(v.emulator),
		version(), grpcAddr, httpURL(s.HTTPAddr()), httpURL(s.AdminAddr()), v.url(),
		shellWord(httpURL(s.HTTPAddr())+"/v1/integration/template/"+template+"/copy"),
		template, shellWord(grpcAddr),
		self(), template, shellWord(grpcAddr))
}
