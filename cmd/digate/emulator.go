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
	Addr        string `name:"addr" default:"127.0.0.1:8090" help:"Address to listen on; port 0 takes any free one."`
	vendorFlags `embed:""`
}

// Help is shown by --help.
func (emulatorCmd) Help() string {
	return "It keeps what is created in memory, apart for each bearer token. Copying some templates goes wrong on purpose:\n\n" + faults()
}

func (c *emulatorCmd) Run(ctx context.Context, std stdio) error {
	v, err := newVendor("addr", c.Addr, c.vendorFlags)
	if err != nil {
		return err
	}
	fmt.Fprintf(std.out, "%s\nstand-in for Diga on %s\nAny bearer token is an account of its own. Ctrl-C ends it.\n",
		catalogue(v.emulator), v.url())
	return v.run(ctx)
}

// vendor serves an emulator.
type vendor struct {
	emulator *emulator.Emulator
	ln       net.Listener
}

// newVendor listens on what the flag says.
func newVendor(flag, addr string, flags vendorFlags) (*vendor, error) {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("--%s: %w", flag, err)
	}
	return &vendor{emulator.New(emulator.Options{Latency: flags.Latency, Seed: flags.Seed}), ln}, nil
}

func (v *vendor) url() string { return httpURL(v.ln.Addr()) }

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
		return srv.Close() // which also ends the answers that hang on purpose
	})
	return g.Wait()
}

// catalogue lists the stand-in's templates, those that go wrong last.
func catalogue(e *emulator.Emulator) string {
	var b strings.Builder
	b.WriteString("Templates of the stand-in:\n\n")
	for _, t := range e.Templates() {
		fmt.Fprintf(&b, "  %s  %s  %s\n", t.ID, t.Language, t.Name)
	}
	b.WriteString("\nTemplates that go wrong on purpose:\n\n" + faults())
	return b.String()
}

// faults lists the templates that make the stand-in misbehave.
func faults() string {
	var b strings.Builder
	for _, f := range emulator.Faults() {
		fmt.Fprintf(&b, "  %s  %s\n", f.ID, f.Description)
	}
	return b.String()
}
