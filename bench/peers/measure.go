package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/digate/digate/bench/peers/internal/fixture"
	"github.com/digate/digate/bench/peers/internal/load"
	"github.com/digate/digate/bench/peers/internal/process"
	"github.com/digate/digate/bench/peers/internal/upstream"
)

// sample is what one run of a peer has shown.
type sample struct {
	cpu            time.Duration // of a call
	objects, bytes float64       // allocated for a call; 0 if the peer does not tell
	connections    int           // opened to the upstream, once warm
	resident       int           // bytes, at the end
	load.Result
}

// compare runs every peer in every cell, round after round.
func compare(ctx context.Context, o options, progress io.Writer) (r *results, err error) {
	dir, err := os.MkdirTemp("", "digate-peers-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	for i, b := range o.binaries {
		if b[1] == "" {
			if o.binaries[i][1], err = build(dir); err != nil {
				return nil, err
			}
		}
	}
	say := func(format string, args ...any) { fmt.Fprintf(progress, format, args...) }
	stages := make(map[bool]*stage)
	defer func() {
		for _, s := range stages {
			err = errors.Join(err, s.stop())
		}
	}()
	for _, withTLS := range o.tls {
		dir := filepath.Join(dir, fmt.Sprint("tls-", withTLS))
		if err := os.Mkdir(dir, 0o700); err != nil {
			return nil, err
		}
		if stages[withTLS], err = newStage(o, dir, withTLS, say); err != nil {
			return nil, err
		}
	}
	r = newResults(o)
	for round := range o.rounds {
		for _, c := range o.cells() {
			names := o.peersOf(c.protocol)
			for i := range names {
				name := names[(i+round)%len(names)] // nobody is always behind the same
				s := stages[c.tls]
				if s.peers[name] == nil {
					continue
				}
				sample, err := s.measure(ctx, o, c, name)
				if ctx.Err() != nil {
					return nil, ctx.Err()
				}
				r.add(c, name, round, sample, err)
				if err != nil {
					say("%s, %s, %s: %v\n", c.protocol, c, name, err)
				}
			}
		}
		say("round %d of %d\n", round+1, o.rounds)
	}
	return r, nil
}

// measure runs a peer in a cell once.
func (s *stage) measure(ctx context.Context, o options, c cell, name string) (sample, error) {
	if err := s.setDelay(c.away); err != nil {
		return sample{}, err
	}
	plan := load.Plan{InFlight: c.inFlight, For: o.lasting, Variables: c.variables}
	warm := plan
	warm.For = o.warm
	run, end, err := s.caller(c, o.conns, name)
	if err != nil {
		return sample{}, err
	}
	defer func() { _ = end() }()
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
	client.cpu += got.cpu
	client.objects += got.objects
	client.bytes += got.bytes
	client.resident += got.resident
	return client, err
}

// caller returns what makes calls of a peer.
func (s *stage) caller(c cell, conns int, name string) (run func(context.Context, load.Plan) (load.Result, error), end func() error, err error) {
	var call load.Call
	variables := fixture.NewVariables(c.variables)
	if c.protocol == "rest" {
		call, end = load.OverREST(s.peers[name].REST, c.inFlight, s.roots, variables)
	} else {
		call, end, err = load.OverGRPC(s.peers[name].GRPC, method(name), min(conns, c.inFlight), s.roots, variables)
	}
	return func(ctx context.Context, plan load.Plan) (load.Result, error) { return load.Run(ctx, plan, call) }, end, err
}

// method returns the full name of the method by which a peer is called.
func method(name string) string {
	if name == "naive" || name == "vanguard" {
		return "/peers.v1.IntegrationService/CopyTemplate"
	}
	return "/diga.integration.v1.IntegrationService/CopyTemplate"
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
	if got.resident, err = p.Resident(); err != nil {
		return got, err
	}
	calls := float64(got.Calls)
	got.cpu = time.Duration(float64(after-before) / calls)
	got.objects = (allocated[2].Objects - 2*allocated[1].Objects + allocated[0].Objects) / calls
	got.bytes = (allocated[2].Bytes - 2*allocated[1].Bytes + allocated[0].Bytes) / calls
	got.connections = counts.Connections - between.Connections
	if asked := counts.Requests - counted.Requests; asks && asked != warm.Calls+got.Calls {
		return got, fmt.Errorf("%d calls made %d requests", warm.Calls+got.Calls, asked)
	}
	return got, nil
}
