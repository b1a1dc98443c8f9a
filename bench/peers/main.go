package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/digate/digate/bench/peers/internal/peer"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

// run runs the command, or with serve as its first argument a peer.
func run(args []string) error {
	if len(args) > 1 && args[0] == "serve" {
		return serve(args[1], args[2:])
	}
	o := defaults()
	flags := flag.NewFlagSet("peers", flag.ContinueOnError)
	o.register(flags)
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	debug.SetGCPercent(400) // the callers' collector would take time from the peers
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	results, err := compare(ctx, o, os.Stderr)
	if err != nil {
		return err
	}
	results.print(os.Stdout)
	return results.failed()
}

func serve(name string, args []string) error {
	var s peer.Settings
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	flags.StringVar(&s.Upstream, "upstream", "", "base URL of the upstream")
	flags.StringVar(&s.CertFile, "cert", "", "certificate of the listener")
	flags.StringVar(&s.KeyFile, "key", "", "its key")
	flags.StringVar(&s.CAFile, "ca", "", "certificate to trust at the upstream")
	if err := flags.Parse(args); err != nil {
		return err
	}
	return peer.Serve(name, s)
}

// options are what to compare, and for how long.
type options struct {
	only      []string // names of peers, empty for all
	protocols []string
	inFlight  []int
	delays    []time.Duration
	tls       []bool
	variables []int
	conns     int
	rounds    int
	lasting   time.Duration
	warm      time.Duration
	binaries  [][2]string // name and path; an empty path is that of the tree
}

func defaults() options {
	return options{
		protocols: []string{"grpc", "rest"}, inFlight: []int{1, 16, 128, 1000}, delays: []time.Duration{0, 20 * time.Millisecond},
		tls: []bool{false}, variables: []int{0}, conns: 4, rounds: 3, lasting: 700 * time.Millisecond, warm: 200 * time.Millisecond,
		binaries: [][2]string{{"digate", ""}},
	}
}

func (o *options) register(flags *flag.FlagSet) {
	list := func(name, usage string, set func([]string) error) {
		flags.Func(name, usage, func(s string) error { return set(strings.Split(s, ",")) })
	}
	list("only", "the `peers` to run, separated by commas, beside the yardsticks", func(s []string) error {
		o.only = s
		return nil
	})
	list("protocol", "grpc, rest or both", func(s []string) error {
		o.protocols = s
		return nil
	})
	list("in-flight", "calls under way at once: a list of `numbers`", func(s []string) (err error) {
		o.inFlight, err = each(s, strconv.Atoi)
		return err
	})
	list("away", "how far away the upstream is: a list of `times`", func(s []string) (err error) {
		o.delays, err = each(s, time.ParseDuration)
		return err
	})
	list("tls", "whether callers and upstream speak TLS: false, true or both", func(s []string) (err error) {
		o.tls, err = each(s, strconv.ParseBool)
		return err
	})
	list("variables", "`bytes` of variables in a request: a list of numbers", func(s []string) (err error) {
		o.variables, err = each(s, strconv.Atoi)
		return err
	})
	flags.IntVar(&o.conns, "connections", o.conns, "gRPC connections of the callers")
	flags.IntVar(&o.rounds, "rounds", o.rounds, "how often each peer runs")
	flags.DurationVar(&o.lasting, "for", o.lasting, "how long it runs each time")
	flags.DurationVar(&o.warm, "warm", o.warm, "how long it runs before each time")
	list("binary", "`name=path` of another build of digate", func(s []string) error {
		for _, s := range s {
			name, path, ok := strings.Cut(s, "=")
			path, err := filepath.Abs(path)
			if !ok || err != nil || slices.Contains(peers(*o), name) {
				return errors.New("want a new name and a path, such as before=/tmp/digate")
			}
			o.binaries = append(o.binaries, [2]string{name, path})
		}
		return nil
	})
}

func each[T any](texts []string, parse func(string) (T, error)) (values []T, err error) {
	for _, text := range texts {
		value, err := parse(text)
		if err != nil {
			return nil, err
		}
		values = append(values, value)
	}
	return values, nil
}
