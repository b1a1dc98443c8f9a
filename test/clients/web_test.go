//go:build unix

package clients

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/internal/need"
	"github.com/digate/digate/server/emulator"
)

// over is a way in which Connect's clients speak to the REST listener.
type over struct {
	name string
	plan plan
	bidi bool
}

var overWeb = []over{
	{"Connect in JSON", plan{Protocol: "connect", HTTP: "1.1", JSON: true}, false},
	{"Connect", plan{Protocol: "connect", HTTP: "2"}, true},
	{"gRPC-Web", plan{Protocol: "grpc-web", HTTP: "1.1"}, false},
	{"gRPC-Web in JSON", plan{Protocol: "grpc-web", HTTP: "2", JSON: true}, true},
}

// webCalls are the calls that both kinds of clients make, with the ends that they have.
func webCalls(t *testing.T, template string) (calls []call, check func(t *testing.T, ends []ended)) {
	t.Helper()
	req := &integrationv1.CopyTemplateRequest{TemplateId: template, Name: proto.String("Tienda ñ"), RequestId: "web"}
	first, again := newCall(t, "CopyTemplate", req), newCall(t, "CopyTemplate", req)
	again.Metadata["x-request-id"] = "a-page"
	missing := newCall(t, "GetTemplate", &integrationv1.GetTemplateRequest{TemplateId: integrationID})
	wrong := newCall(t, "CopyTemplate", &integrationv1.CopyTemplateRequest{TemplateId: "x"})
	stranger := newCall(t, "CopyTemplate", req)
	delete(stranger.Metadata, "authorization")
	stream := newCall(t, "StreamTemplates", &integrationv1.StreamTemplatesRequest{})
	broken := newCall(t, "StreamTemplates", &integrationv1.StreamTemplatesRequest{After: proto.String("x")})
	slow := newCall(t, "CopyTemplate", &integrationv1.CopyTemplateRequest{TemplateId: "00000000-0000-4000-8000-000000000601"})
	slow.TimeoutMS = 500
	return []call{first, again, missing, wrong, stranger, stream, broken, slow}, func(t *testing.T, ends []ended) {
		t.Helper()
		made, replayed := copied(t, ends[0]), copied(t, ends[1])
		if made.GetName() != "Tienda ñ" || !proto.Equal(made, replayed) {
			t.Errorf("got %v, then %v", made, replayed)
		}
		if got := ends[1].Header; got["digate-replayed"] != "true" || got["x-request-id"] != "a-page" {
			t.Errorf("the header is %v", got)
		}
		for i, want := range map[int]ended{
			2: {Code: "NOT_FOUND", Domain: "diga.io", Info: map[string]string{"outcome": "REJECTED", "http_status": "404"}},
			3: {Code: "INVALID_ARGUMENT", Domain: "digate", Reason: "INVALID_REQUEST", Info: map[string]string{"outcome": "NOT_SENT"}, Violations: []string{"template_id"}},
			4: {Code: "UNAUTHENTICATED", Domain: "digate", Reason: "MISSING_CREDENTIAL", Info: map[string]string{"outcome": "NOT_SENT"}},
			6: {Code: "INVALID_ARGUMENT", Domain: "digate", Reason: "INVALID_REQUEST", Info: map[string]string{"outcome": "NOT_SENT"}, Violations: []string{"after"}},
		} {
			got := ends[i]
			if got.Code != want.Code || got.Domain != want.Domain || want.Reason != "" && got.Reason != want.Reason ||
				got.Info["outcome"] != want.Info["outcome"] || got.Info["http_status"] != want.Info["http_status"] ||
				strings.Join(got.Violations, " ") != strings.Join(want.Violations, " ") {
				t.Errorf("%d: got %+v, want %+v", i, got, want)
			}
		}
		if got := ends[5]; got.Code != "OK" || len(got.Responses) < 3 {
			t.Errorf("the stream: %+v", got)
		}
		if got := ends[7]; got.Code != "DEADLINE_EXCEEDED" {
			t.Errorf("the deadline: %+v", got)
		}
	}
}

// emulated starts an emulator and returns it with its URL.
func emulated(t *testing.T) (*emulator.Emulator, string) {
	t.Helper()
	e := emulator.New(emulator.Options{})
	srv := httptest.NewServer(e)
	t.Cleanup(func() { e.Close(); srv.Close() })
	return e, srv.URL
}

func TestWeb_ConnectNode_CallsAsOverGRPC(t *testing.T) {
	if !*run {
		t.Skip("make clients runs it")
	}
	t.Parallel()
	c := client{name: "connect-node", command: node("connect.mjs")}
	for _, way := range overWeb {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			e, url := emulated(t)
			d := serve(t, url, "--web-rpc")
			p := way.plan
			p.Address = d.REST
			var check func(*testing.T, []ended)
			p.Calls, check = webCalls(t, e.Templates()[0].ID)
			p.Warm = &p.Calls[0] // the copy is there before another asks for it
			check(t, c.calls(t, p))
			if !way.bidi {
				return
			}
			items := make([]proto.Message, 3)
			for i := range items {
				items[i] = &integrationv1.BulkCopyTemplateRequest{Copy: &integrationv1.CopyTemplateRequest{TemplateId: e.Templates()[0].ID, RequestId: string(rune('a' + i))}}
			}
			p.Warm, p.Calls = nil, []call{newCall(t, "BulkCopyTemplate", items...)}
			if end := c.calls(t, p)[0]; end.Code != "OK" || len(end.Responses) != 4 {
				t.Errorf("bulk: %+v", end)
			}
		})
	}
}

func TestWeb_Chromium_CallsAsOverGRPC(t *testing.T) {
	if !*run {
		t.Skip("make clients runs it")
	}
	t.Parallel()
	for _, way := range overWeb {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			e, url := emulated(t)
			p := newPage(t)
			d := serve(t, url, "--web-rpc", "--cors-origins", p.origin())
			p.plan = way.plan
			p.plan.Address = d.REST
			var check func(*testing.T, []ended)
			p.plan.Calls, check = webCalls(t, e.Templates()[0].ID)
			check(t, p.visit(t, p.origin()))
		})
	}
}

// A page of an origin that is not listed hears nothing.
func TestWeb_Chromium_PageOfAnotherOrigin_ReadsNothing(t *testing.T) {
	if !*run {
		t.Skip("make clients runs it")
	}
	t.Parallel()
	e, url := emulated(t)
	p := newPage(t)
	d := serve(t, url, "--web-rpc", "--cors-origins", p.origin())
	p.plan = overWeb[0].plan
	p.plan.Address = d.REST
	p.plan.Calls = []call{newCall(t, "CopyTemplate", &integrationv1.CopyTemplateRequest{TemplateId: e.Templates()[0].ID})}
	end := p.visit(t, strings.Replace(p.origin(), "127.0.0.1", "localhost", 1))[0]
	if end.Code == "OK" || end.Reason != "" || len(e.Integrations(token)) > 0 {
		t.Errorf("got %+v, and %d integrations", end, len(e.Integrations(token)))
	}
}

// page is a web page that makes the calls of a plan.
type page struct {
	*httptest.Server
	plan  plan
	ended chan ended
}

// modules are where a browser finds the packages that the page and its libraries import.
const modules = `<!doctype html><script type="importmap">{"imports": {
"@bufbuild/protobuf": "/node_modules/@bufbuild/protobuf/dist/esm/index.js",
"@bufbuild/protobuf/codegenv1": "/node_modules/@bufbuild/protobuf/dist/esm/codegenv1/index.js",
"@bufbuild/protobuf/codegenv2": "/node_modules/@bufbuild/protobuf/dist/esm/codegenv2/index.js",
"@bufbuild/protobuf/reflect": "/node_modules/@bufbuild/protobuf/dist/esm/reflect/index.js",
"@bufbuild/protobuf/wire": "/node_modules/@bufbuild/protobuf/dist/esm/wire/index.js",
"@bufbuild/protobuf/wkt": "/node_modules/@bufbuild/protobuf/dist/esm/wkt/index.js",
"@connectrpc/connect": "/node_modules/@connectrpc/connect/dist/esm/index.js",
"@connectrpc/connect/protocol": "/node_modules/@connectrpc/connect/dist/esm/protocol/index.js",
"@connectrpc/connect/protocol-connect": "/node_modules/@connectrpc/connect/dist/esm/protocol-connect/index.js",
"@connectrpc/connect/protocol-grpc-web": "/node_modules/@connectrpc/connect/dist/esm/protocol-grpc-web/index.js",
"@connectrpc/connect-web": "/node_modules/@connectrpc/connect-web/dist/esm/index.js"
}}</script><script type="module" src="/page.mjs"></script>`

// newPage serves a page, whose plan is set before it is visited.
func newPage(t *testing.T) *page {
	t.Helper()
	packages := installed(t, "connect-web", "node", "node_modules")
	p := &page{ended: make(chan ended, 100)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte(modules))
	})
	for _, name := range []string{"page.mjs", "calls.mjs"} {
		mux.HandleFunc("GET /"+name, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/javascript")
			http.ServeFile(w, r, "node/"+name)
		})
	}
	mux.Handle("GET /node_modules/", http.StripPrefix("/node_modules/", http.FileServer(http.Dir(packages))))
	set := descriptors(t)
	mux.HandleFunc("GET /descriptors", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, set) })
	mux.HandleFunc("GET /plan", func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(p.plan) })
	mux.HandleFunc("POST /ended", func(_ http.ResponseWriter, r *http.Request) {
		var e ended
		if err := json.NewDecoder(r.Body).Decode(&e); err != nil {
			t.Errorf("the page sent no end of a call: %v", err)
		}
		p.ended <- e
	})
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	return p
}

func (p *page) origin() string { return p.URL }

// visit opens the page in a headless Chromium and returns how its calls ended.
func (p *page) visit(t *testing.T, url string) []ended {
	t.Helper()
	// Chromium's helpers write into its profile for a moment after its end, and t.TempDir
	// fails where it cannot remove everything.
	profile, err := os.MkdirTemp("", "digate-chromium-") //nolint:usetesting // see above
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(profile) }()
	cmd := exec.CommandContext(t.Context(), need.Program(t, "chromium"),
		"--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--remote-debugging-port=0", "--user-data-dir="+profile, url+"/")
	cmd.WaitDelay = 10 * time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // to end its helpers too
	if testing.Verbose() {
		cmd.Stderr = os.Stderr
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); _ = cmd.Wait() }()
	ends := make([]ended, len(p.plan.Calls))
	timeout := time.After(patience)
	for range ends {
		select {
		case e := <-p.ended:
			ends[e.Index] = e
		case <-timeout:
			t.Fatalf("the page made no further call: %+v", ends)
		}
	}
	return ends
}
