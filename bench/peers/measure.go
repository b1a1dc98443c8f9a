package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/digate/digate/bench/peers/internal/fixture"
	"github.com/digate/digate/bench/peers/internal/load"
	"github.com/digate/digate/bench/peers/internal/process"
	"github.com/digate/digate/bench/peers/internal/upstream"
)

// sample is what one run of a peer has shown.
type sample struct {
	CPU            time.Duration // of a call
	Objects, Bytes float64       // allocated for a call; 0 if the peer does not tell
	Opened         int           // connections to the upstream, once warm
	Resident       int           // bytes, at the end
	load.Result
}

// compare runs every peer in every cell, round after round.
func compare(ctx context.Context, o options, progress io.Writer) (*results, error) {
	say := func(format string, args ...any) { fmt.Fprintf(progress, format, args...) }
	r := new(results)
	err := onStages(o, say, func(stages map[bool]*stage) error {
		for round := range o.rounds {
			for _, c := range o.cells() {
				s, names := stages[c.TLS], o.peersOf(c.Protocol)
				for i := range names {
					name := names[(i+round)%len(names)] // nobody is always behind the same
					if s.peers[name] == nil {
						continue
					}
					sample, err := s.measure(ctx, o, c, name)
					if ctx.Err() != nil {
						return ctx.Err()
					}
					if r.add(c, name, round, sample, err); err != nil {
						say("%s, %s, %s: %v\n", c.Protocol, c, name, err)
					}
				}
			}
			say("round %d of %d\n", round+1, o.rounds)
		}
		return nil
	})
	return r, err
}

// onStages starts everything that the options need, without TLS and with it, and
// ends it when f is done.
func onStages(o options, say func(format string, args ...any), f func(map[bool]*stage) error) (err error) {
	dir, err := os.MkdirTemp("", "digate-peers-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	o.digates = slices.Clone(o.digates)
	for i := range o.digates {
		if o.digates[i].path == "" {
			if o.digates[i].path, err = build(dir); err != nil {
				return err
			}
		}
	}
	stages := make(map[bool]*stage)
	defer func() {
		for _, s := range stages {
			err = errors.Join(err, s.stop())
		}
	}()
	for _, withTLS := range o.tls {
		dir := filepath.Join(dir, fmt.Sprint("tls-", withTLS))
		if err := os.Mkdir(dir, 0o700); err != nil {
			return err
		}
		s, err := newStage(o, dir, withTLS, say)
		if err != nil {
			return err
		}
		stages[withTLS] = s
	}
	return f(stages)
}

// enough is how many calls a run should make, where the upstream is far away.
const enough = 50

// measure runs a peer in a cell once.
func (s *stage) measure(ctx context.Context, o options, c cell, name string) (sample, error) {
	if err := s.setDelay(c.Away); err != nil {
		return sample{}, err
	}
	plan := load.Plan{
		InFlight: c.InFlight, For: max(o.lasting, enough*c.Away/time.Duration(c.InFlight)),
		Variables: c.Variables, Rate: c.Rate,
	}
	warm := plan
	warm.For = o.warm
	d, _ := o.digate(name)
	run, end, err := s.caller(ctx, c, name, d)
	if err != nil {
		return sample{}, err
	}
	defer func() { _ = end() }()
	// digate gives a caller whom Diga has not accepted yet less memory than many large
	// calls take.
	first := load.Plan{InFlight: 1, For: o.warm}
	if _, err := run(ctx, first); err != nil {
		return sample{}, err
	}
	got, err := s.observe(s.peers[name], func(warming bool) (load.Result, error) {
		if warming {
			return run(ctx, warm)
		}
		return run(ctx, plan)
	}, name != "parts")
	if err != nil || name != "parts" {
		return got, err
	}
	// The other half, and the callers' view of a Diga without a facade.
	client, err := s.observe(s.client, func(warming bool) (result load.Result, err error) {
		p := plan
		if warming {
			p = warm
		}
		text, err := json.Marshal(p)
		if err == nil {
			err = s.client.Do("/run", url.Values{"plan": {string(text)}}, &result)
		}
		return result, err
	}, true)
	client.CPU += got.CPU
	client.Objects += got.Objects
	client.Bytes += got.Bytes
	client.Resident += got.Resident
	return client, err
}

// checks are of the peers of REST that write Diga's responses in other words.
var checks = map[string]load.Check{"gateway": fixture.CheckJSON}

// caller returns what makes calls of a peer, in the way of that digate.
func (s *stage) caller(ctx context.Context, c cell, name string, d digate) (run func(context.Context, load.Plan) (load.Result, error), end func() error, err error) {
	var call load.Call
	variables := fixture.NewVariables(c.Variables)
	ids := "" // what request ids begin with
	if d.ids {
		ids = rand.Text() + "-"
	}
	switch {
	case c.Protocol == "rest":
		call, end = load.OverREST(s.peers[name].REST, ids, c.InFlight, s.roots, variables, checks[name])
	case d.bulk:
		call, end, err = load.OverBulk(ctx, s.peers[name].GRPC, rand.Text()+"-", min(c.Connections, c.InFlight), s.roots)
	default:
		method := load.Method{Name: method(name), RequestID: ids, Bare: name == "envoy"}
		call, end, err = load.OverGRPC(s.peers[name].GRPC, method, min(c.Connections, c.InFlight), s.roots, variables)
	}
	return func(ctx context.Context, plan load.Plan) (load.Result, error) { return load.Run(ctx, plan, call) }, end, err
}

// method returns the full name of the method by which a peer is called.
func method(name string) string {
	switch name {
	case "envoy":
		return "/peers.v1.BareIntegrationService/CopyTemplate"
	case "naive", "vanguard":
		return "/peers.v1.IntegrationService/CopyTemplate"
	default:
		return "/diga.integration.v1.IntegrationService/CopyTemplate"
	}
}

// observe runs a process warm and then once more, and returns what that took. A
// process that asks the upstream must ask it once for each call.
func (s *stage) observe(p *process.Process, run func(warming bool) (load.Result, error), asks bool) (got sample, err error) {
	counted, err := s.counts()
	if err != nil {
		return got, err
	}
	warm, err := run(true)
	if err != nil {
		return got, err
	}
	var allocated [3]process.Allocated
	for i := range 2 { // the difference is what reading allocates
		if allocated[i], err = p.Allocated(); err != nil {
			return got, err
		}
	}
	between, err := s.counts()
	if err != nil {
		return got, err
	}
	before, err := p.CPU()
	if err != nil {
		return got, err
	}
	if got.Result, err = run(false); err != nil {
		return got, err
	}
	after, err := p.CPU()
	if err != nil {
		return got, err
	}
	var counts upstream.Counts
	if counts, err = s.counts(); err != nil {
		return got, err
	}
	if allocated[2], err = p.Allocated(); err != nil {
		return got, err
	}
	if got.Resident, err = p.Resident(); err != nil {
		return got, err
	}
	calls := float64(got.Calls)
	got.CPU = time.Duration(float64(after-before) / calls)
	got.Objects = (allocated[2].Objects - 2*allocated[1].Objects + allocated[0].Objects) / calls
	got.Bytes = (allocated[2].Bytes - 2*allocated[1].Bytes + allocated[0].Bytes) / calls
	got.Opened = counts.Connections - between.Connections
	if asked := counts.Requests - counted.Requests; asks && asked != warm.Calls+got.Calls {
		return got, fmt.Errorf("%d calls made %d requests", warm.Calls+got.Calls, asked)
	}
	return got, nil
}
