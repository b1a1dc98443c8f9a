package main

import (
	"context"
	_ "embed" // of what the emulator holds
	"errors"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"
	"golang.org/x/sync/errgroup"

	"github.com/digate/digate/cmd/digate/internal/term"
	"github.com/digate/digate/server"
	"github.com/digate/digate/server/config"
	"github.com/digate/digate/server/emulator"
	"github.com/digate/digate/server/openapi/viewer"
	"github.com/digate/digate/server/telemetry"
)

// devCmd has the settings of serve, except those of the connection to Diga; see [asDev].
type devCmd struct {
	config.Config `embed:""`
	EmulatorAddr  string `name:"emulator-addr" group:"Addresses:" default:"127.0.0.1:8090" help:"The emulator of Diga."`

	OverTLS bool `name:"tls" group:"TLS:" help:"Speak TLS, with a certificate of an authority that is made for this run. The first words name its file."`

	standInFlags `embed:""`
}

// sample is the initial state of the emulator. It has the ids in the examples of the
// OpenAPI document, so that every request that the page at /docs prepares succeeds.
//
//go:embed sample.yaml
var sample []byte

// sampleToken owns the integrations of the sample. The welcome uses it too.
const sampleToken = "dev"

// notOfDev are the settings of serve that dev does not have: those of the connection to
// Diga, because the emulator runs in the same process, and the wait for load balancers.
var notOfDev = []string{"upstream-url", "upstream-ca-file", "upstream-client-cert-file", "upstream-client-key-file", "upstream-http2", "drain-delay"}

// asDev removes the settings that dev does not have from the command, and gives others
// defaults for development: every address is on loopback.
func asDev(command *kong.Node) {
	command.Flags = slices.DeleteFunc(command.Flags, func(f *kong.Flag) bool {
		gone := slices.Contains(notOfDev, f.Name)
		if gone && f.Target.Kind() == reflect.String {
			f.Target.SetString(f.Default) // no parser sets it; the other fields default to zero
		}
		return gone
	})
	for _, f := range command.Flags {
		switch {
		case strings.HasPrefix(f.Default, ":"):
			f.Default = "127.0.0.1" + f.Default
		case f.Name == "admin-pprof", f.Name == "open-reflection", f.Name == "web-rpc", f.Name == "docs":
			f.Default, f.HasDefault = "true", true
			f.Help += " On; --" + f.Name + "=false turns it off."
		case f.Name == "initial-state":
			f.Help += " Without it, the token dev has the two integrations that the examples at /docs name."
		}
	}
}

// Help is shown by --help.
func (devCmd) Help() string {
	return "Port 0 takes any free port. Copies of these templates of the emulator go wrong on purpose:\n\n" + faults()
}

// devGrace is how long calls may continue after the first signal. It is short, because
// the emulator hangs on purpose for some templates.
const devGrace = 2 * time.Second

func (c *devCmd) Run(ctx context.Context, std term.IO, line *kong.Context, o *origins) error {
	diga, err := listenStandIn("emulator-addr", c.EmulatorAddr, c.standInFlags, sample)
	if err != nil {
		if isUnheard(err) {
			err = errors.Join(err, server.CanListen(ctx, c.Config))
		}
		return o.explain(line, unheard("digate dev", err))
	}
	c.Upstream.URL = diga.url()
	var made devTLS
	if c.OverTLS {
		if made, err = newDevTLS(&c.Config); err != nil {
			_ = diga.ln.Close()
			return err
		}
		defer made.remove()
	}
	ignoreBrokenPipe()
	log := telemetry.OpenLog(std.Err, c.LogLevel)
	defer log.Close()
	o.logStray(log)
	s, err := server.New(ctx, c.Config, server.Options{Version: version(), Origins: o.of(line), Log: log.Logger, LogLevel: log.Level, LogLoad: log.Load, Getenv: os.Getenv, Docs: c.docs(diga.emulator)})
	if err != nil {
		_ = diga.ln.Close()
		return complainInto(log, o.explain(line, unheard("digate dev", err)))
	}
	at := devAddresses{
		grpc: dialable(s.GRPCAddr()), rest: httpURL(s.HTTPAddr(), c.TLS.Enabled()), admin: httpURL(s.AdminAddr(), c.TLS.Admin), diga: diga.url(), ca: made.ca,
	}
	if c.Gateway.Docs {
		at.docs = at.rest + viewer.Path
	}
	if c.Control {
		at.control = diga.controlURL()
	}
	defer greet(std.Out, welcome(at, version(), term.Self()))()
	// The emulator ends last, so that calls in progress can end.
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

// docs returns the options of the page at /docs: a token, of which any will do, the
// templates of the emulator, those with faults last, and the examples, if their ids exist.
func (c *devCmd) docs(e *emulator.Emulator) viewer.Options {
	var opts viewer.Options
	if c.AccountsFile == "" {
		opts.Token = sampleToken
		opts.Examples = c.State == ""
	}
	for _, t := range e.Templates() {
		opts.Templates = append(opts.Templates, viewer.Template{ID: t.ID, Title: t.Name + " (" + t.Language + ")"})
	}
	for _, f := range emulator.Faults() {
		opts.Templates = append(opts.Templates, viewer.Template{ID: f.ID, Title: f.Description})
	}
	return opts
}
