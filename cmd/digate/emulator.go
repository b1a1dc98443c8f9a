package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/digate/digate/cmd/digate/internal/term"
	"github.com/digate/digate/server/emulator"
)

// standInFlags are the settings of the emulator of Diga.
type standInFlags struct {
	Latency emulator.Latency `name:"latency" default:"0s" help:"Time that each response of the emulator takes: a duration, or percentiles such as p50=20ms,p99=800ms."`
	Seed    int64            `name:"seed" default:"1" help:"Seed of what the emulator chooses: ids, latencies, and which calls fail by chance."`
	Strict  bool             `name:"strict" help:"Have the emulator refuse what Diga's contract does not name, although Diga ignores it."`
	Control bool             `name:"control" help:"Serve the routes below /_emulator/, by which tests fill the emulator, make calls fail and look at them."`
	State   string           `name:"initial-state" type:"existingfile" placeholder:"FILE" help:"YAML or JSON file of what the emulator holds at first: templates, integrations, faults."`
}

type emulatorCmd struct {
	Addr         string `name:"emulator-addr" default:"127.0.0.1:8090" help:"Address to listen on. Port 0 takes any free port."`
	standInFlags `embed:""`
}

// Help is shown by --help.
func (emulatorCmd) Help() string {
	return "The emulator keeps integrations in memory. Each bearer token has its own. Copies of these templates go wrong on purpose:\n\n" + faults()
}

func (c *emulatorCmd) Run(ctx context.Context, std term.IO) error {
	s, err := listenStandIn("emulator-addr", c.Addr, c.standInFlags, nil)
	if err != nil {
		return unheard("digate emulator, or dev", err)
	}
	ignoreBrokenPipe()
	controlled := ""
	if c.Control {
		controlled = "Tests control it below " + s.controlURL() + "\n"
	}
	defer greet(std.Out, fmt.Sprintf("%s\nThe emulator is at %s\n%sAny bearer token is an account of its own. Ctrl-C ends it.\n",
		catalogue(s.emulator), s.url(), controlled))()
	return s.run(ctx)
}

// standIn serves an emulator.
type standIn struct {
	emulator *emulator.Emulator
	ln       net.Listener
}

// listenStandIn listens on the address in a flag. state is the initial state of the
// emulator, unless --initial-state names another.
func listenStandIn(flag, addr string, flags standInFlags, state []byte) (*standIn, error) {
	options := emulator.Options{Latency: flags.Latency, Seed: flags.Seed, Strict: flags.Strict, Control: flags.Control}
	var err error
	if flags.State != "" {
		state, err = os.ReadFile(flags.State)
	}
	if err == nil {
		options.State, err = emulator.ParseState(state)
	}
	if err != nil {
		return nil, fmt.Errorf("--initial-state: %w", err)
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("--%s: %w", flag, err)
	}
	return &standIn{emulator.New(options), ln}, nil
}

func (s *standIn) url() string { return httpURL(s.ln.Addr(), false) }

// controlURL returns the URL of the control routes.
func (s *standIn) controlURL() string { return s.url() + "/_emulator/" }

// run serves until ctx ends.
func (s *standIn) run(ctx context.Context) error {
	srv := &http.Server{Handler: s.emulator, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		if err := srv.Serve(s.ln); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("emulator: %w", err)
		}
		return nil
	})
	g.Go(func() error {
		<-ctx.Done()
		return srv.Close() // also ends responses that hang on purpose
	})
	return g.Wait()
}

// catalogue lists the templates of the emulator, those with faults last.
func catalogue(e *emulator.Emulator) string {
	var b strings.Builder
	b.WriteString("Templates of the emulator:\n\n")
	for _, t := range e.Templates() {
		fmt.Fprintf(&b, "  %s  %s  %s\n", t.ID, t.Language, t.Name)
	}
	b.WriteString("\nTemplates that go wrong on purpose:\n\n" + faults())
	return b.String()
}

// faults lists the templates with faults.
func faults() string {
	var b strings.Builder
	for _, f := range emulator.Faults() {
		fmt.Fprintf(&b, "  %s  %s\n", f.ID, f.Description)
	}
	return b.String()
}
