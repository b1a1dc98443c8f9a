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
	"strconv"
	"strings"
	"syscall"
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
	o.inWays()
	for _, name := range o.only {
		if !o.known(name) {
			return fmt.Errorf("there is no peer %q", name)
		}
	}
	debug.SetGCPercent(400) // the callers' collector would take time from the peers
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	results, err := compare(ctx, o, os.Stderr)
	if err != nil {
		return err
	}
	printResults(os.Stdout, o, results)
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
		o.away, err = each(s, time.ParseDuration)
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
	list("connections", "gRPC connections of the callers: a list of numbers", func(s []string) (err error) {
		o.connections, err = each(s, strconv.Atoi)
		return err
	})
	list("way", "how digate is called: plain, ids (each call with a request id of its own), bulk (as an item of a bulk stream)", func(s []string) error {
		o.ways = s
		for _, way := range s {
			if _, ok := everyWay[way]; !ok {
				return fmt.Errorf("there is no way %q", way)
			}
		}
		return nil
	})
	flags.IntVar(&o.rounds, "rounds", o.rounds, "how often each peer runs")
	flags.DurationVar(&o.lasting, "for", o.lasting, "how long it runs each time")
	flags.DurationVar(&o.warm, "warm", o.warm, "how long it runs before each time")
	list("binary", "`name=path` of another build of digate", func(s []string) error {
		for _, s := range s {
			name, path, ok := strings.Cut(s, "=")
			path, err := filepath.Abs(path)
			if !ok || err != nil || defaults().known(name) {
				return errors.New("want a new name and a path, such as before=/tmp/digate")
			}
			o.digates = append(o.digates, digate{name: name, path: path})
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
