package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/digate/digate/server/emulator"
)

// vendorFlags say how the stand-in for Diga behaves.
type vendorFlags struct {
	Latency time.Duration `name:"latency" default:"0s" help:"Time that every answer of the stand-in takes."`
	Seed    int64         `name:"seed" default:"1" help:"Seed of the ids that the stand-in gives."`
}

type emulatorCmd struct {
	Addr        string `name:"addr" default:"127.0.0.1:8090" help:"Address to listen on."`
	vendorFlags `embed:""`
}

// Help is shown by --help.
func (emulatorCmd) Help() string { return "${faults}" }

func (c *emulatorCmd) Run(ctx context.Context, std stdio) error {
	v, err := newVendor(c.Addr, c.vendorFlags)
	if err != nil {
		return err
	}
	fmt.Fprintf(std.err, "stand-in for Diga on http://%s; any bearer token is an account of its own\n\ntemplates:\n%s\n%s",
		v.ln.Addr(), templateList(v.emulator), faultHelp())
	return v.run(ctx)
}

// vendor serves an emulator.
type vendor struct {
	emulator *emulator.Emulator
	ln       net.Listener
}

func newVendor(addr string, flags vendorFlags) (*vendor, error) {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	return &vendor{emulator.New(emulator.Options{Latency: flags.Latency, Seed: flags.Seed}), ln}, nil
}

func (v *vendor) url() string { return "http://" + v.ln.Addr().String() }

// run serves until the context ends.
func (v *vendor) run(ctx context.Context) error {
	srv := &http.Server{Handler: v.emulator, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		if err := srv.Serve(v.ln); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("stand-in for Diga: %w", err)
		}
		return nil
	})
	g.Go(func() error {
		<-ctx.Done()
		v.emulator.Close() // ends the answers that hang on purpose
		return srv.Close()
	})
	return g.Wait()
}

func templateList(e *emulator.Emulator) string {
	var b strings.Builder
	for _, t := range e.Templates() {
		fmt.Fprintf(&b, "  %s  %s  %s\n", t.ID, t.Language, t.Name)
	}
	return b.String()
}

// faultHelp lists the templates that make the stand-in misbehave.
func faultHelp() string {
	var b strings.Builder
	b.WriteString("templates that script a fault:\n")
	for _, f := range emulator.Faults() {
		fmt.Fprintf(&b, "  %s  %s\n", f.ID, f.Description)
	}
	return b.String()
}
