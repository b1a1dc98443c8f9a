package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/alecthomas/kong"
	"golang.org/x/sync/errgroup"

	"github.com/digate/digate/cmd/digate/internal/term"
	"github.com/digate/digate/server"
	"github.com/digate/digate/server/config"
	"github.com/digate/digate/server/telemetry"
)

// devCmd has the addresses of serve, by default all on loopback: see
// [onLoopback]. Every other setting of serve has its default.
type devCmd struct {
	config.Addresses `embed:""`
	EmulatorAddr     string `name:"emulator-addr" group:"Addresses:" default:"127.0.0.1:8090" help:"The stand-in for Diga."`

	standInFlags `embed:""`
}

// onLoopback makes the default of every address of a command one on loopback.
func onLoopback(command *kong.Node) {
	for _, f := range command.Flags {
		if strings.HasPrefix(f.Default, ":") {
			f.Default = "127.0.0.1" + f.Default
		}
	}
}

// Help is shown by --help.
func (devCmd) Help() string { return "Port 0 takes any free port." }

// devGrace is how long calls may go on after the first signal. It is short,
// because the stand-in hangs on purpose for some templates.
const devGrace = 2 * time.Second

func (c *devCmd) Run(ctx context.Context, std term.IO) error {
	diga, err := listenStandIn("emulator-addr", c.EmulatorAddr, c.standInFlags)
	if err != nil {
		return err
	}
	cfg := config.Defaults()
	cfg.Addresses, cfg.Admin.Pprof, cfg.Upstream.URL = c.Addresses, true, diga.url()
	ignoreBrokenPipe()
	log := telemetry.OpenLog(std.Err, cfg.LogLevel)
	defer log.Close()
	s, err := server.New(ctx, cfg, server.Options{Version: version(), Log: log.Logger, LogLost: log.Lost})
	if err != nil {
		_ = diga.ln.Close()
		return complainInto(log, err)
	}
	defer greet(std.Out, welcome(s, diga))()
	// The stand-in ends last, so that calls under way can end.
	standInCtx, stopStandIn := context.WithCancel(context.WithoutCancel(ctx))
	g, ctx := errgroup.WithContext(ctx)
	defer context.AfterFunc(ctx, func() { time.AfterFunc(devGrace, diga.emulator.Close) })()
	g.Go(func() error { return diga.run(standInCtx) })
	g.Go(func() error {
		defer stopStandIn()
		return s.Run(ctx)
	})
	return complainInto(log, g.Wait())
}

// welcome returns the addresses and commands to paste. They come last, where a
// terminal shows them.
func welcome(s *server.Server, diga *standIn) string {
	template := diga.emulator.Templates()[0].ID
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
    -d '{"name": "first", "api_key": "k-123", "variables": {"shop": "acme"}}'

  grpcurl -plaintext -H 'authorization: Bearer dev' \
    -d '{"template_id": "%s", "name": "second"}' \
    %s diga.integration.v1.IntegrationService/CopyTemplate

  DIGATE_TOKEN=dev %s copy \
    %s --name third --addr %s

Ctrl-C ends it. Its log:

`, catalogue(diga.emulator),
		version(), grpcAddr, httpURL(s.HTTPAddr()), httpURL(s.AdminAddr()), diga.url(),
		term.ShellWord(httpURL(s.HTTPAddr())+"/v1/integration/template/"+template+"/copy"),
		template, term.ShellWord(grpcAddr),
		term.Self(), template, term.ShellWord(grpcAddr))
}
