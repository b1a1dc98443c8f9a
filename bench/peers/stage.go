package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/digate/digate/bench/peers/internal/peer"
	"github.com/digate/digate/bench/peers/internal/process"
	"github.com/digate/digate/bench/peers/internal/upstream"
)

// stage is everything that runs at once: the upstream, and the peers in front of it.
type stage struct {
	dir      string
	settings peer.Settings
	roots    *tls.Config // what callers trust, nil without TLS

	upstream *process.Process
	echo     *process.Process
	client   *process.Process
	peers    map[string]*process.Process
	started  []*process.Process
}

// newStage starts the upstream and the peers of the options. What is not installed
// is left out, and said so.
func newStage(o options, dir string, withTLS bool, say func(format string, args ...any)) (s *stage, err error) {
	s = &stage{dir: dir, peers: make(map[string]*process.Process)}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.stop())
		}
	}()
	scheme := "http"
	if withTLS {
		scheme = "https"
		if s.settings, s.roots, err = newCertificate(dir); err != nil {
			return s, err
		}
	}
	if s.upstream, err = s.serve("upstream"); err != nil {
		return s, err
	}
	s.settings.Upstream = scheme + "://" + s.upstream.REST
	for _, protocol := range o.protocols {
		for _, name := range o.peersOf(protocol) {
			if s.peers[name] != nil {
				continue // digate has both protocols
			}
			if err = s.start(o, name); err != nil {
				return s, err
			}
			if s.peers[name] == nil {
				say("%s is not installed\n", name)
			}
		}
	}
	return s, nil
}

// start starts a peer.
func (s *stage) start(o options, name string) (err error) {
	if d, ok := o.digate(name); ok {
		s.peers[name], err = s.digate(d)
		return err
	}
	switch name {
	case "parts":
		if s.client, err = s.serve("client"); err != nil {
			return err
		}
		s.echo, err = s.serve("echo")
		s.peers[name] = s.echo
	case "nginx":
		s.peers[name], err = s.nginx()
	case "envoy":
		s.peers[name], err = s.envoy()
	default:
		s.peers[name], err = s.serve(name)
	}
	return err
}

// serve starts a peer of this program.
func (s *stage) serve(name string) (*process.Process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return s.run(exec.Command(self, "serve", name, "-upstream", s.settings.Upstream,
		"-cert", s.settings.CertFile, "-key", s.settings.KeyFile, "-ca", s.settings.CAFile), process.Serving{})
}

// digate starts a digate with its defaults, but for what its name says.
func (s *stage) digate(d digate) (*process.Process, error) {
	args := []string{
		"serve", "--upstream-url", s.settings.Upstream,
		"--grpc-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0",
	}
	if s.settings.CAFile != "" {
		args = append(args, "--upstream-ca-file", s.settings.CAFile, "--tls-cert-file", s.settings.CertFile, "--tls-key-file", s.settings.KeyFile)
	}
	cmd := exec.Command(d.path, append(args, d.args...)...)
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(s string) bool { return strings.HasPrefix(s, "DIGATE_") || strings.HasPrefix(s, "OTEL_") }), d.env...)
	return s.run(cmd, process.Serving{})
}

// place returns a new folder for a peer that is no program of ours, and an address of
// loopback at which nobody listens.
func (s *stage) place(name string) (dir, addr string, err error) {
	dir = filepath.Join(s.dir, name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", "", err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", "", err
	}
	return dir, ln.Addr().String(), ln.Close()
}

func (s *stage) run(cmd *exec.Cmd, serving process.Serving) (*process.Process, error) {
	p, err := process.Start(cmd, s.dir, serving)
	if err == nil {
		s.started = append(s.started, p)
	}
	return p, err
}

// stop ends all that was started.
func (s *stage) stop() error {
	var errs []error
	for _, p := range slices.Backward(s.started) {
		errs = append(errs, p.Stop())
	}
	return errors.Join(errs...)
}

// setDelay puts the upstream that far away, and makes the echo, which needs no
// upstream, take as long.
func (s *stage) setDelay(d time.Duration) error {
	query := url.Values{"delay": {d.String()}}
	err := s.upstream.Do("/delay", query, nil)
	if s.echo != nil {
		err = errors.Join(err, s.echo.Do("/delay", query, nil))
	}
	return err
}

// counts returns what the upstream has counted. It fails if a request was not as it
// should be.
func (s *stage) counts() (c upstream.Counts, err error) {
	if err = s.upstream.Do("/counts", nil, &c); err == nil && c.Fault != "" {
		err = fmt.Errorf("a request that is not as it should be: %s", c.Fault)
	}
	return c, err
}

// build builds the tree's digate, as `make build` does.
func build(dir string) (path string, err error) {
	root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/digate/digate").Output()
	if err != nil {
		return "", fmt.Errorf("go list: %w", err)
	}
	path = filepath.Join(dir, "digate")
	cmd := exec.Command("make", "-C", strings.TrimSpace(string(root)), "--no-print-directory", "build", "BINARY="+path)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s", cmd, err, out)
	}
	return path, nil
}
