package server_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/internal/need"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/emulator"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/test/await"
	"github.com/digate/digate/test/rig"
)

// proxy is a proxy that docs/meshes.md configures.
type proxy struct {
	name     string // of its binary
	language string // of its configuration's code block
	// file turns the block into a whole configuration file.
	file func(dir, block string) string
	args func(dir, path string) []string
	// retrying changes the block so that the proxy sends requests again.
	retrying func(block string) string
	// repeats reports whether a retrying proxy sends gRPC calls again too.
	repeats bool
}

var nginxServer = regexp.MustCompile(`server [0-9.:]+`)

var proxies = []proxy{
	{
		name: "nginx", language: "nginx",
		file: func(dir, block string) string {
			// Without this, nginx would send nothing for a while to a server that failed.
			block = nginxServer.ReplaceAllString(block, "$0 max_fails=0")
			var temp string
			for _, what := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
				temp += fmt.Sprintf("%s_temp_path %s/%s;\n", what, dir, what)
			}
			return fmt.Sprintf("daemon off;\npid %s/pid;\nerror_log %s/log;\nworker_processes 1;\nevents {}\nhttp {\naccess_log off;\n%s%s}\n", dir, dir, temp, block)
		},
		args: func(dir, path string) []string { return []string{"-p", dir, "-e", dir + "/log", "-c", path} },
		retrying: func(block string) string {
			return strings.ReplaceAll(block, "_next_upstream off;", "_next_upstream error timeout non_idempotent;")
		},
	},
	{
		name: "envoy", repeats: true, language: "yaml",
		file: func(_, block string) string {
			// Envoy obeys the retry headers of callers within the network alone.
			return strings.Replace(block, "codec_type: AUTO", "codec_type: AUTO\n          internal_address_config: {cidr_ranges: [{address_prefix: 10.0.0.0, prefix_len: 8}]}", 1)
		},
		args: func(_, path string) []string {
			return []string{"-c", path, "--concurrency", "1", "--disable-hot-restart", "-l", "off"}
		},
		retrying: func(block string) string {
			return strings.ReplaceAll(block, "timeout: 0s}", "timeout: 0s, retry_policy: {retry_on: reset, num_retries: 1, retry_back_off: {base_interval: 0.001s}}}")
		},
	},
}

// block returns the proxy's configuration as the page shows it.
func (p proxy) block(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../docs/meshes.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(b), "```"+p.language+"\n")
	block, _, closed := strings.Cut(rest, "```")
	if !found || !closed {
		t.Fatalf("the page has no block of %s", p.language)
	}
	return block
}

// start runs the proxy in front of backends and returns its addresses for gRPC
// and REST.
func (p proxy) start(t *testing.T, block string, grpcTo, restTo []string) (grpcAddr, restAddr string) {
	t.Helper()
	path := need.Program(t, p.name)
	grpcAddr, restAddr = rig.FreeAddr(t), rig.FreeAddr(t)
	if !strings.Contains(block, "8443") {
		restAddr = grpcAddr // one port for both
	}
	block = strings.NewReplacer("9443", port(grpcAddr), "8443", port(restAddr)).Replace(block)
	block = replicate(replicate(block, "9090", grpcTo), "8080", restTo)
	dir := t.TempDir()
	file := filepath.Join(dir, "proxy.yaml")
	if err := os.WriteFile(file, []byte(p.file(dir, block)), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path, p.args(dir, file)...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second // before it is killed
	var out await.Transcript
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = cmd.Wait() }()
	t.Cleanup(func() {
		<-ended
		if b, _ := os.ReadFile(dir + "/log"); t.Failed() {
			t.Logf("%s%s", out.String(), b)
		}
	})
	for _, addr := range []string{grpcAddr, restAddr} {
		if err := await.Poll(await.Patience, ended, func() error {
			c, err := new(net.Dialer).DialContext(t.Context(), "tcp", addr)
			if err == nil {
				err = c.Close()
			}
			return err
		}); err != nil {
			b, _ := os.ReadFile(dir + "/log")
			t.Fatalf("%s does not listen: %v\n%s%s", p.name, err, out.String(), b)
		}
	}
	return grpcAddr, restAddr
}

// replicate repeats the line with the port for every address.
func replicate(block, was string, addrs []string) string {
	var out strings.Builder
	for line := range strings.Lines(block) {
		if !strings.Contains(line, was) {
			out.WriteString(line)
			continue
		}
		for _, addr := range addrs {
			out.WriteString(strings.Replace(line, was, port(addr), 1))
		}
	}
	return out.String()
}

func port(addr string) string { return addr[strings.LastIndexByte(addr, ':')+1:] }

// noRetries returns a client that never repeats a call by itself.
func noRetries(t *testing.T, addr string) integrationv1.IntegrationServiceClient {
	t.Helper()
	return integrationv1.NewIntegrationServiceClient(dial(t, addr, grpc.WithDisableRetry()))
}

// dying is a backend that reads each request to its end and then resets the
// connection, as a digate that is killed does.
type dying struct {
	addr string
	mu   sync.Mutex
	got  map[string]int
}

type connKey struct{}

func newDying(t *testing.T) *dying {
	t.Helper()
	d := &dying{got: make(map[string]int)}
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		d.mu.Lock()
		d.got[r.Method+" "+r.URL.Path]++
		d.mu.Unlock()
		c, _ := r.Context().Value(connKey{}).(*net.TCPConn)
		_ = c.SetLinger(0)
		_ = c.Close()
		panic(http.ErrAbortHandler)
	}))
	srv.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, connKey{}, c) }
	srv.Config.Protocols = new(http.Protocols)
	srv.Config.Protocols.SetHTTP1(true)
	srv.Config.Protocols.SetUnencryptedHTTP2(true)
	srv.Start()
	t.Cleanup(srv.Close)
	d.addr = srv.Listener.Addr().String()
	return d
}

// arrivals returns how often a request reached any of the backends.
func arrivals(all []*dying, what string) int {
	n := 0
	for _, d := range all {
		d.mu.Lock()
		n += d.got[what]
		d.mu.Unlock()
	}
	return n
}

// asks are the headers with which a caller asks Envoy to send a request again. The
// first makes it a caller within the network.
var asks = []string{"x-forwarded-for", "10.0.0.1", "x-envoy-retry-on", "reset,5xx", "x-envoy-retry-grpc-on", "unavailable,unknown,cancelled", "x-envoy-max-retries", "3"}

// sendWrites sends one write of each kind through a proxy to backends that die,
// and returns how often each arrived.
func sendWrites(t *testing.T, p proxy, block string) (counts map[string]int, copyCode codes.Code) {
	t.Helper()
	backends := []*dying{newDying(t), newDying(t)}
	addrs := []string{backends[0].addr, backends[1].addr}
	grpcAddr, restAddr := p.start(t, block, addrs, addrs)
	client := noRetries(t, grpcAddr)
	ctx, cancel := context.WithTimeout(metadata.AppendToOutgoingContext(t.Context(), asks...), 20*time.Second)
	defer cancel()
	_, err := client.CopyTemplate(ctx, &integrationv1.CopyTemplateRequest{TemplateId: goodTemplate})
	if e := apierror.FromError(err); e.Outcome != exchange.Unknown {
		t.Errorf("the copy's outcome is %v: %v", e.Outcome, err)
	}
	copyCode = status.Code(err)
	if _, err := client.DeleteIntegration(ctx, &integrationv1.DeleteIntegrationRequest{IntegrationId: goodTemplate}); err == nil {
		t.Error("a call whose response was lost succeeded")
	}
	for _, method := range []string{"POST", "DELETE", "PATCH"} {
		r, err := http.NewRequestWithContext(ctx, method, "http://"+restAddr+"/x", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(asks); i += 2 {
			r.Header.Set(asks[i], asks[i+1])
		}
		r.Close = true
		resp, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode < 500 || resp.Header.Get("Digate-Outcome") != "" {
			t.Errorf("%s: HTTP %d, outcome %q", method, resp.StatusCode, resp.Header.Get("Digate-Outcome"))
		}
	}
	counts = make(map[string]int)
	for name, what := range map[string]string{
		"CopyTemplate":      "POST " + integrationv1.IntegrationService_CopyTemplate_FullMethodName,
		"DeleteIntegration": "POST " + integrationv1.IntegrationService_DeleteIntegration_FullMethodName,
		"POST":              "POST /x", "DELETE": "DELETE /x", "PATCH": "PATCH /x",
	} {
		counts[name] = arrivals(backends, what)
	}
	return counts, copyCode
}

const goodTemplate = "3c90c3cc-0d44-4b50-8888-8dd25736052a"

func TestMeshes_ConfiguredAsThePageSays(t *testing.T) {
	for _, p := range proxies {
		t.Run(p.name, func(t *testing.T) {
			block := p.block(t)
			t.Run("a copy passes", func(t *testing.T) { copyThrough(t, p, block) })
			t.Run("a write is sent once", func(t *testing.T) {
				counts, code := sendWrites(t, p, block)
				for name, n := range counts {
					if n != 1 {
						t.Errorf("%s arrived %d times", name, n)
					}
				}
				if code != codes.Unknown { // and not UNAVAILABLE, which clients repeat
					t.Errorf("the copy ended with %s", code)
				}
			})
			// The subtest above can fail: a proxy that retries is noticed.
			t.Run("a retrying proxy is noticed", func(t *testing.T) {
				changed := p.retrying(block)
				if changed == block {
					t.Fatal("the block was not changed")
				}
				counts, _ := sendWrites(t, p, changed)
				for name, n := range counts {
					want := 2
					if rpc := strings.Contains(name, "Template") || strings.Contains(name, "Integration"); rpc && !p.repeats {
						want = 1
					}
					if n != want {
						t.Errorf("%s arrived %d times, want %d", name, n, want)
					}
				}
			})
			t.Run("deadlines, trailers and details pass", func(t *testing.T) { detailsThrough(t, p, block) })
			t.Run("a stream is not held back", func(t *testing.T) { streamThrough(t, p, block) })
		})
	}
}

// copyThrough makes copies through the proxy with the largest credential that
// digate accepts.
func copyThrough(t *testing.T, p proxy, block string) {
	e, url := emulate(t, emulator.Options{})
	d := start(t, url)
	grpcAddr, restAddr := p.start(t, block, []string{d.GRPCAddr().String()}, []string{d.HTTPAddr().String()})
	large := token + strings.Repeat("x", 8<<10-len(token))
	ctx, cancel := context.WithTimeout(withToken(t.Context(), large), 20*time.Second)
	defer cancel()
	client := noRetries(t, grpcAddr)
	if _, err := client.CopyTemplate(ctx, &integrationv1.CopyTemplateRequest{TemplateId: goodTemplate}); err != nil {
		t.Error(err)
	}
	_, err := client.CopyTemplate(ctx, &integrationv1.CopyTemplateRequest{TemplateId: "x"})
	if got := apierror.FromError(err); got.Code != codes.InvalidArgument || got.Outcome != exchange.NotSent || len(got.Violations) != 1 {
		t.Errorf("%+v", got)
	}
	for path, want := range map[string]struct {
		status  int
		outcome string
	}{
		goodTemplate:                           {201, ""},
		"3c90c3cc-0d44-4b50-8888-8dd257360520": {404, "REJECTED"},
	} {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+restAddr+"/v1/integration/template/"+path+"/copy", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		r.Close = true
		r.Header.Set("Authorization", "Bearer "+large)
		resp, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != want.status || resp.Header.Get("Digate-Outcome") != want.outcome {
			t.Errorf("HTTP %d, outcome %q, want %v", resp.StatusCode, resp.Header.Get("Digate-Outcome"), want)
		}
	}
	if n := len(e.Integrations(large)); n != 2 {
		t.Errorf("%d copies", n)
	}
}

// telling is a service that fails with a message, details and trailer of the
// largest size that digate sends. It passes the time left until the deadline on.
type telling struct {
	integrationv1.UnimplementedIntegrationServiceServer
	left chan time.Duration
}

func (s *telling) CopyTemplate(ctx context.Context, _ *integrationv1.CopyTemplateRequest) (*integrationv1.CopyTemplateResponse, error) {
	deadline, _ := ctx.Deadline()
	s.left <- time.Until(deadline)
	_ = grpc.SetTrailer(ctx, metadata.Pairs("grpc-retry-pushback-ms", "-1"))
	st, err := status.New(codes.Unknown, strings.Repeat("m", 500)).WithDetails(
		&errdetails.ErrorInfo{Reason: "OUTCOME_UNKNOWN", Domain: "digate", Metadata: map[string]string{"outcome": "UNKNOWN"}},
		&errdetails.DebugInfo{Detail: strings.Repeat("d", 3600)}) // with the message about 6 KiB as sent
	if err != nil {
		return nil, err
	}
	return nil, st.Err()
}

// detailsThrough makes a call whose deadline, trailer and error details must pass
// through the proxy.
func detailsThrough(t *testing.T, p proxy, block string) {
	s := &telling{left: make(chan time.Duration, 8)}
	backend := []string{serveGRPC(t, s)}
	grpcAddr, _ := p.start(t, block, backend, backend)
	ctx, cancel := context.WithTimeout(t.Context(), 17*time.Second)
	defer cancel()
	var trailer metadata.MD
	_, err := noRetries(t, grpcAddr).CopyTemplate(ctx, new(integrationv1.CopyTemplateRequest), grpc.Trailer(&trailer))
	if e := apierror.FromError(err); e.Reason != "OUTCOME_UNKNOWN" || e.Outcome != exchange.Unknown || len(status.Convert(err).Details()) != 2 {
		t.Fatalf("%v", err)
	}
	if got := trailer.Get("grpc-retry-pushback-ms"); len(got) != 1 || got[0] != "-1" {
		t.Errorf("trailer %v", trailer)
	}
	if left := <-s.left; left < 10*time.Second || left > 17*time.Second {
		t.Errorf("the deadline arrived as %s", left)
	}
}

// streamThrough sends a line through the proxy, waits until it comes back, and sends
// the next one.
func streamThrough(t *testing.T, p proxy, block string) {
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		_ = rc.EnableFullDuplex()
		w.Header().Set("Content-Type", "application/x-ndjson")
		lines := bufio.NewScanner(r.Body)
		for lines.Scan() {
			_, _ = fmt.Fprintf(w, "%s\n", lines.Bytes())
			_ = rc.Flush()
		}
	}))
	t.Cleanup(backend.Close)
	addr := []string{backend.Listener.Addr().String()}
	_, restAddr := p.start(t, block, addr, addr)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	pr, pw := io.Pipe()
	defer context.AfterFunc(ctx, func() { _ = pw.CloseWithError(ctx.Err()) })() // the transport waits for it
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+restAddr+"/v1/integration/template:bulkCopy", pr)
	if err != nil {
		t.Fatal(err)
	}
	r.Close = true
	go func() { _, _ = io.WriteString(pw, "1\n") }()
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	lines := bufio.NewScanner(resp.Body)
	for i := range 3 {
		if !lines.Scan() || lines.Text() != strconv.Itoa(i+1) {
			t.Fatalf("line %d: %q, %v", i+1, lines.Text(), lines.Err())
		}
		if i < 2 {
			_, _ = fmt.Fprintln(pw, i+2)
		}
	}
	_ = pw.Close()
	if lines.Scan() {
		t.Errorf("a line more than was sent: %q", lines.Text())
	}
}

var localReplies = regexp.MustCompile(`(?s) +local_reply_config:.*?( +route_config:)`)

// A mesh has two proxies between a caller and digate. The proxy beside digate turns
// a lost connection into UNAVAILABLE, and the proxy beside the caller sends the
// call again for that.
func TestMeshes_TwoEnvoysWithIstiosRetries_RepeatWhatWasSent(t *testing.T) {
	p := proxies[1]
	sidecar := localReplies.ReplaceAllString(p.block(t), "$1")
	const istios = "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes"
	retries := func(more string) string {
		return strings.ReplaceAll(sidecar, "timeout: 0s}", "timeout: 0s, retry_policy: {retry_on: '"+istios+"', num_retries: 2, retry_back_off: {base_interval: 0.001s}"+more+"}}")
	}
	for name, row := range map[string]struct {
		caller     string
		rpcs, rest int
	}{
		"since 1.24":  {retries(""), 3, 1},
		"before":      {retries(", retriable_status_codes: [503]"), 3, 3},
		"attempts: 0": {sidecar, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			backends := []*dying{newDying(t)}
			addrs := []string{backends[0].addr}
			innerGRPC, innerREST := p.start(t, sidecar, addrs, addrs)
			grpcAddr, restAddr := p.start(t, row.caller, []string{innerGRPC}, []string{innerREST})
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			_, err := noRetries(t, grpcAddr).CopyTemplate(ctx, new(integrationv1.CopyTemplateRequest))
			if status.Code(err) != codes.Unavailable {
				t.Error(err)
			}
			send(t, http.DefaultClient, http.MethodPost, "http://"+restAddr, "/x", "{}")
			http.DefaultClient.CloseIdleConnections()
			if n := arrivals(backends, "POST "+integrationv1.IntegrationService_CopyTemplate_FullMethodName); n != row.rpcs {
				t.Errorf("the call arrived %d times, want %d", n, row.rpcs)
			}
			if n := arrivals(backends, "POST /x"); n != row.rest {
				t.Errorf("the request arrived %d times, want %d", n, row.rest)
			}
		})
	}
}
