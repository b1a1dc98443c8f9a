package conformance

import (
	"context"
	"encoding/xml"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/digate/digate/server/certs/authority"
	"github.com/digate/digate/server/config"
)

// h2specTarget is a listener that h2spec is run against.
type h2specTarget struct {
	side, server, transport string
	addr                    net.Addr
}

// testH2spec runs h2spec against digate's listeners and those of the libraries below
// them, and returns the results. Most of the time it waits for what does not come, so
// the runs are beside each other.
func testH2spec(t *testing.T) (results []*result) {
	tool := buildTool(t, "h2spec", "github.com/summerwind/h2spec/cmd/h2spec")
	targets := h2specTargets(t)
	results = make([]*result, len(targets))
	var wg sync.WaitGroup
	for i, target := range targets {
		wg.Go(func() { results[i] = runH2spec(t, tool, target) })
	}
	wg.Wait()
	if t.Failed() {
		return nil
	}
	for i, target := range targets {
		for _, name := range results[i].doubtful(results, targets, target.side) {
			if passes(t, tool, target, name) {
				delete(results[i].failures, name)
				results[i].failed--
			}
		}
	}
	for i := 0; i < len(results); i += 2 {
		results[i].hold(t, results[i+1], nil)
	}
	return results
}

// doubtful returns the cases that fail here and not at every listener of a side.
func (r *result) doubtful(results []*result, targets []h2specTarget, side string) (names []string) {
	for i, other := range results {
		if targets[i].side == side {
			names = append(names, r.beyond(other)...)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// doubtTries is how often a case is tried that fails here and passes elsewhere. A case has
// two seconds to be judged, which a busy machine may need; and some wait for a race, such
// as that of a wrong body with the response to a request that is refused for its header.
const doubtTries = 5

// passes tries a case again, alone, and reports whether it passes.
func passes(t *testing.T, tool string, target h2specTarget, name string) bool {
	section, _, _ := strings.Cut(name, " ")
	for range doubtTries {
		if _, fails := runH2spec(t, tool, target, section).failures[name]; !fails {
			return true
		}
	}
	return false
}

// h2specTargets starts the servers, and returns each listener of digate's with the one it
// is compared with.
func h2specTargets(t *testing.T) (targets []h2specTarget) {
	t.Helper()
	ca, err := authority.New("conformance")
	if err != nil {
		t.Fatal(err)
	}
	cert, key, err := ca.Issue(authority.Request{Names: []string{"127.0.0.1"}})
	if err != nil {
		t.Fatal(err)
	}
	begin := func(kind string, s settings) *running {
		server, err := start(t.Context(), kind, s)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := server.stop(); err != nil {
				t.Errorf("%s: %v", kind, err)
			}
		})
		return server
	}
	for _, transport := range []string{plain, overTLS} {
		// The suite asks for the limit of streams, which a bare server has none of.
		s := settings{tls: transport == overTLS, cert: cert, key: key, maxStreams: config.Defaults().MaxStreams}
		own := begin(digate, s)
		targets = append(targets,
			h2specTarget{"gRPC", "digate (gRPC)", transport, own.grpc}, h2specTarget{"gRPC", bare, transport, begin(bare, s).grpc},
			h2specTarget{"REST", "digate (REST)", transport, own.rest}, h2specTarget{"REST", nethttp, transport, begin(nethttp, s).rest},
		)
	}
	return targets
}

// runH2spec runs sections of the suite, or all of it, against a target.
func runH2spec(t *testing.T, tool string, target h2specTarget, sections ...string) *result {
	t.Helper()
	report := filepath.Join(t.TempDir(), "report.xml")
	addr := target.addr.(*net.TCPAddr)
	args := slices.Concat(sections, []string{"--host", addr.IP.String(), "--port", strconv.Itoa(addr.Port), "--junit-report", report})
	if target.transport == overTLS {
		args = append(args, "--tls", "--insecure")
	}
	ctx, cancel := context.WithTimeout(t.Context(), suiteTime)
	defer cancel()
	out, err := exec.CommandContext(ctx, tool, args...).CombinedOutput() // its exit code says that cases fail
	r, broken := readH2spec(report)
	if broken != nil {
		t.Errorf("h2spec did not run against %s: %v: %v\n%s", target.server, err, broken, out)
		return new(result)
	}
	r.server, r.transport = target.server, target.transport
	return r
}

// readH2spec reads the report of h2spec.
func readH2spec(path string) (*result, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var report struct {
		Suites []struct {
			Cases []struct {
				Section string    `xml:"package,attr"`
				Name    string    `xml:"classname,attr"`
				Failure *string   `xml:"failure"`
				Error   *string   `xml:"error"`
				Skipped *struct{} `xml:"skipped"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal(b, &report); err != nil {
		return nil, err
	}
	r := &result{suite: "h2spec", failures: make(map[string][]string)}
	for _, suite := range report.Suites {
		for _, c := range suite.Cases {
			r.cases++
			for _, text := range []*string{c.Failure, c.Error} {
				if text != nil {
					r.failed++
					r.failures[c.Section+" "+c.Name] = []string{*text}
				}
			}
			if c.Skipped != nil {
				r.skipped++
			}
		}
	}
	return r, nil
}
