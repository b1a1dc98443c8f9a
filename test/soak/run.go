package soak

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/digate/digate/test/rig"
)

const (
	// idleTimeout is how long digate keeps an idle connection to the upstream.
	idleTimeout = 300 * time.Millisecond
	// away is how long a restart of the upstream takes.
	away = 60 * time.Millisecond
)

// settings are those of a run.
type settings struct {
	binary string // of digate
	calls  int
	seed   uint64
	// atOnce is how many calls are under way at the same time.
	atOnce int
	dir    string // for logs and certificates
}

// result is the result of a run.
type result struct {
	mix mix
	tally
	requests   int // that reached the line
	met        met
	footprints []footprints
	took       time.Duration
}

// run runs a mix. The violations of the result are digate's faults. An error is a
// failure of the suite itself.
func run(s settings, m mix) (res result, err error) {
	r := &runner{settings: s, script: &script{mix: m, seed: s.seed, calls: s.calls}}
	defer func() { err = errors.Join(err, r.close()) }()
	if err := r.open(); err != nil {
		return res, err
	}
	if err := r.load(); err != nil {
		return res, err
	}
	if err := r.inspect(); err != nil {
		return res, err
	}
	if err := r.close(); err != nil {
		return res, err
	}
	res = result{
		mix: m, tally: r.judge(), requests: r.line.requests(), met: r.line.faults(), took: r.took,
	}
	for _, s := range r.servers {
		res.footprints = append(res.footprints, s.footprints)
	}
	res.violations = append(res.violations, r.wrong...)
	res.violations = append(res.violations, shortfalls(m, s.calls, r.script.planned(), res.tally, res.met)...)
	return res, nil
}

// runner is a run under way.
type runner struct {
	settings
	script   *script
	upstream *rig.Upstream
	line     *line
	servers  []*server

	ends  []told
	wrong []string // other faults of digate
	took  time.Duration
}

// server is a digate under test.
type server struct {
	*rig.Server
	log string // the file with its log
	footprints
}

// open starts the upstream, the line and digate.
func (r *runner) open() (err error) {
	if r.upstream, err = rig.NewUpstream(r.script.upstream); err != nil {
		return err
	}
	if r.script.mix.creates {
		r.upstream.ScriptReads(r.script.behaviour)
		r.upstream.Fill(older, olderItems)
	}
	var certs *certificates
	if r.script.mix.tls {
		if certs, err = newCertificates(); err != nil {
			return err
		}
	}
	if r.line, err = newLine(r.script, r.upstream.Addr(), certs); err != nil {
		return err
	}
	if r.script.mix.absent {
		r.line.cut()
	}
	args, err := r.arguments()
	if err != nil {
		return err
	}
	for n := range r.script.servers() {
		s := &server{log: filepath.Join(r.dir, fmt.Sprintf("%s-%d.log", r.script.mix.name, n+1))}
		if err := os.Remove(s.log); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		if s.Server, err = rig.Serve(r.binary, s.log, args...); err != nil {
			return err
		}
		r.servers = append(r.servers, s)
	}
	return nil
}

// close ends all that still runs.
func (r *runner) close() (err error) {
	for _, s := range r.servers {
		s.Kill()
	}
	if r.line != nil {
		r.line.close()
	}
	if r.upstream != nil {
		err = r.upstream.Close()
	}
	return err
}

// judge compares what the callers were told with what the upstream created.
func (r *runner) judge() tally {
	if r.script.mix.creates {
		return judgeErrands(r.script, r.ends, r.upstream.All())
	}
	return judge(r.calls, r.ends, r.upstream.Made())
}

// arguments returns digate's arguments for the mix.
func (r *runner) arguments() ([]string, error) {
	m := r.script.mix
	url := "http://" + r.line.addr
	args := []string{"--upstream-timeout", upstreamTimeout.String(), "--upstream-idle-timeout", idleTimeout.String()}
	if m.nameless {
		// No resolver asks a server for such a name (RFC 7686), so it does not
		// resolve, with or without a network.
		url = "http://upstream.onion:8443"
	}
	if m.tls {
		url = "https://" + r.line.addr
		file := filepath.Join(r.dir, m.name+".pem")
		if err := os.WriteFile(file, r.line.certs.authority, 0o600); err != nil {
			return nil, err
		}
		args = append(args, "--upstream-ca-file", file)
	}
	args = append(args, "--upstream-url", url)
	// Breaker and bounds on retries would keep most faults from happening.
	wanted := []string{
		"--upstream-breaker-delay=0s", "--upstream-retry-budget=1", "--upstream-max-in-flight=10000",
	}
	if m.guarded {
		wanted = []string{"--upstream-breaker-delay=200ms"}
	}
	help, err := exec.Command(r.binary, "serve", "--help-all").Output()
	if err != nil { // an earlier version, whose help is whole
		help, err = exec.Command(r.binary, "serve", "--help").Output()
	}
	if err != nil {
		return nil, err
	}
	for _, setting := range wanted {
		if flag, _, _ := strings.Cut(setting, "="); strings.Contains(string(help), flag+"=") {
			args = append(args, setting)
		}
	}
	return args, nil
}
