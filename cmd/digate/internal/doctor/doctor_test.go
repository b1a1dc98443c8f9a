package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/clitest"
	"github.com/digate/digate/cmd/digate/internal/term"
	"github.com/digate/digate/server/emulator"
	"github.com/digate/digate/test/await"
)

// seen records the requests to an upstream.
type seen struct {
	mu       sync.Mutex
	requests []string // method and path
	tokens   []string
}

func (s *seen) note(r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, r.Method+" "+r.URL.Path)
	s.tokens = append(s.tokens, r.Header.Get("Authorization"))
}

// onlyGETs fails where something else than a GET came in, and returns how many
// there were.
func (s *seen) onlyGETs(t *testing.T) int {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.requests {
		if !strings.HasPrefix(r, "GET ") {
			t.Errorf("the upstream was asked to %s", r)
		}
	}
	return len(s.requests)
}

// watched runs an upstream and records its requests.
func watched(t *testing.T, h http.Handler, start ...func(*httptest.Server)) (*httptest.Server, *seen) {
	t.Helper()
	s := new(seen)
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.note(r)
		h.ServeHTTP(w, r)
	}))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	if start == nil {
		srv.Start()
	}
	for _, f := range start {
		f(srv)
	}
	t.Cleanup(srv.Close)
	t.Setenv("DIGATE_TOKEN", clitest.Token)
	return srv, s
}

// says returns an upstream that has one response.
func says(status int, contentType, body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
}

var checkNames = []string{"configuration", "proxy", "dns", "tcp", "tls", "credential", "upstream", "contract", "document", "clock", "ledger", "listeners", "certificates", "accounts"}

// examined is a report by check.
type examined struct {
	clitest.Ran
	checks map[string]finding
}

// examine runs doctor and takes its report apart.
func examine(t *testing.T, args ...string) examined {
	t.Helper()
	got := examined{digate(t, append([]string{"doctor", "--output", "json", "--timeout", "10s",
		"--grpc-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0"}, args...)...), make(map[string]finding)}
	var report struct {
		OK     bool
		Checks []finding
	}
	if err := json.Unmarshal([]byte(got.Out), &report); err != nil {
		t.Fatalf("%v in %+v", err, got.Ran)
	}
	var order []string
	bad := false
	for _, f := range report.Checks {
		order = append(order, f.Check)
		got.checks[f.Check] = f
		bad = bad || f.Result == resultFail
		if f.Found == "" || f.Result == resultFail && f.Advice == "" {
			t.Errorf("%+v does not say what was found and what to do", f)
		}
	}
	if !slices.Equal(order, checkNames) {
		t.Errorf("checks %v", order)
	}
	if report.OK == bad || got.Code != map[bool]int{true: client.ExitFailed, false: client.ExitDone}[bad] || got.Err != "" {
		t.Errorf("ok %v, %+v", report.OK, got.Ran)
	}
	clitest.CheckNoSecret(t, got.Ran)
	return got
}

// expect compares what came of the checks, in order, by first letters: o, w, F,
// s.
func (e examined) expect(t *testing.T, want string) {
	t.Helper()
	var got strings.Builder
	for _, name := range checkNames {
		got.WriteByte(e.checks[name].Result[0])
	}
	if got.String() != want {
		t.Errorf("results %s, want %s:\n%s", &got, want, e.Out)
	}
}

func TestDoctor_AllIsWell(t *testing.T) {
	e := emulator.New(emulator.Options{})
	t.Cleanup(e.Close)
	upstream, seen := watched(t, e)
	create(t, upstream.URL)
	seen.requests, seen.tokens = nil, nil

	examine(t, "--upstream-url", upstream.URL).expect(t, "oososooosoooss")
	if n := seen.onlyGETs(t); n != 4 {
		t.Errorf("%d requests: %v", n, seen.requests)
	}
	if slices.Contains(seen.tokens[1:], "") || seen.tokens[0] != "" {
		t.Errorf("credentials %q", seen.tokens)
	}

	got := digate(t, "doctor", "--upstream-url", upstream.URL)
	lines := strings.Split(strings.TrimSuffix(got.Out, "\n"), "\n")
	if got.Code != client.ExitDone || got.Err != "" || len(lines) != len(checkNames) {
		t.Fatalf("%+v", got)
	}
	clitest.CheckNoSecret(t, got)
	for i, name := range checkNames {
		if l := lines[i]; !strings.HasPrefix(l[9:], name+" ") || strings.TrimRight(l[7:9]+l[22:24], " ") != "" || l[24] == ' ' {
			t.Errorf("line %d is %q", i, lines[i])
		}
	}
	if !strings.Contains(got.Out, "5 templates and 1 integrations") {
		t.Errorf("%s", got.Out)
	}
	if n := len(e.Integrations(clitest.Token)); n != 1 {
		t.Errorf("%d integrations", n)
	}
}

func TestDoctor_WhatIsWrong_IsSaidAndWhatBuildsOnItIsSkipped(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	envelope := func(status int) http.Handler {
		return says(status, "application/json", `{"status":"error","error_code":"SOME_CODE","message":"not `+clitest.Token+`"}`)
	}
	page := says(200, "text/html", "<html>hunter2</html>")
	for name, row := range map[string]struct {
		upstream http.Handler // nil where the arguments name another
		args     []string
		want     string
		check    string
		found    []string
	}{
		"two settings": {nil, []string{"--grpc-addr", "x", "--upstream-url", "ftp://u:hunter2@y"}, "Fssssossssssss", "configuration",
			[]string{"--grpc-addr: must be", "--upstream-url: must begin"}},
		"no such name": {nil, []string{"--upstream-url", "http://diga.invalid"}, "ooFssossssooss", "dns", []string{"diga.invalid does not resolve"}},
		"refused": {nil, []string{"--upstream-url", "http://" + closed.Addr().String()}, "oosFsossssooss", "tcp",
			[]string{closed.Addr().String(), "connection refused"}},
		"HTML": {page, nil, "oososoFssoooss", "upstream", []string{"HTTP 200, but not as Diga does"}},
		"gateway": {says(502, "text/html", "<html>hunter2</html>"), nil, "oososoFssoooss", "upstream",
			[]string{"HTTP 502, but not as Diga does"}},
		"redirect": {http.RedirectHandler("https://elsewhere.invalid/", http.StatusFound), nil, "oososoFssoooss", "upstream", []string{"HTTP 302, but not as Diga does"}},
		"401":      {envelope(401), nil, "oososoFssoooss", "upstream", []string{"reachable and refuses the credential: HTTP 401, SOME_CODE"}},
		"403":      {envelope(403), nil, "oososoFssoooss", "upstream", []string{"reachable and refuses the credential: HTTP 403, SOME_CODE"}},
		"500":      {envelope(500), nil, "oososoFssoooss", "upstream", []string{"reachable and responds with HTTP 500, SOME_CODE"}},
		"no integrations": {http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/v1/integration" {
				envelope(403).ServeHTTP(w, r)
				return
			}
			says(200, "application/json", `{"data":[],"has_more":false}`).ServeHTTP(w, r)
		}), nil, "oososooFsoooss", "contract", []string{"refuses the credential: HTTP 403"}},
		"hangs up": {http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }), nil,
			"oososoFsssooss", "upstream", []string{"response was lost (connection closed)"}},
		"token file": {page, []string{"--token-file", "/nonexistent"}, "oososFsssoooss", "credential", []string{"--token-file: ", "no such file"}},
		"odd token": {page, []string{"--token-file", clitest.WriteFile(t, "token", "hunter2 hunter2")}, "oososFsssoooss", "credential",
			[]string{"one word of printable ASCII"}},
	} {
		t.Run(name, func(t *testing.T) {
			upstream, seen := watched(t, row.upstream)
			args := row.args
			if row.upstream != nil {
				args = append([]string{"--upstream-url", upstream.URL}, args...)
			}
			got := examine(t, args...)
			got.expect(t, row.want)
			for _, want := range row.found {
				if !strings.Contains(got.checks[row.check].Found, want) {
					t.Errorf("no %q in %+v", want, got.checks[row.check])
				}
			}
			seen.onlyGETs(t)
		})
	}
}

func TestDoctor_NoToken_IsSaidAndTheWayIsStillLookedAt(t *testing.T) {
	upstream, seen := watched(t, says(200, "application/json", "{}"))
	t.Setenv("DIGATE_TOKEN", "")
	got := examine(t, "--upstream-url", upstream.URL)
	got.expect(t, "oososFsssoooss")
	if n := seen.onlyGETs(t); n != 1 {
		t.Errorf("%d requests", n)
	}
}

func TestDoctor_Drift_IsNamedWithoutValues(t *testing.T) {
	upstream, _ := watched(t, says(200, "application/json",
		`{"data":[{"id":"3c90c3cc-0d44-4b50-8888-8dd25736052a","surprise":"hunter2"}],"has_more":"hunter2"}`))
	got := examine(t, "--upstream-url", upstream.URL)
	got.expect(t, "oososoowsoooss")
	for _, want := range []string{"templates data.surprise: ", "integrations data.surprise: ", "has_more: "} {
		if !strings.Contains(got.checks["contract"].Found, want) {
			t.Errorf("no %q in %+v", want, got.checks["contract"])
		}
	}
	examine(t, "--upstream-url", upstream.URL, "--drift", "fail").expect(t, "oososooFsoooss")
}

func TestDoctor_ManyFieldsThatDrift_AreNamedUpToABound(t *testing.T) {
	fields := func(n int) http.Handler {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `"surprise-%d":1,`, i+1)
		}
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			more := b.String()
			if r.URL.Path == "/v1/integration" {
				more = ""
			}
			says(200, "application/json", `{`+more+`"data":[],"has_more":false}`).ServeHTTP(w, r)
		})
	}
	for n, want := range map[int]string{8: "", 9: " and 1 more", 12: " and 4 more"} {
		upstream, _ := watched(t, fields(n))
		found := examine(t, "--upstream-url", upstream.URL).checks["contract"].Found
		if shown := strings.Count(found, "surprise-"); shown != 8 || !strings.HasSuffix(found, want) || want == "" && strings.Contains(found, " more") {
			t.Errorf("%d fields: %s", n, found)
		}
	}
}

// What was found holds names that others chose, such as those of a certificate.
func TestReport_HostileText_IsShownOnOneLineAndPrintable(t *testing.T) {
	t.Parallel()
	r := report{findings: []finding{{Check: "tls", Result: resultOK, Found: clitest.Hostile, Advice: "one\ttwo\r\nthree"}}}
	var text, inJSON strings.Builder
	if err := errors.Join(r.findings[0].writeText(&text), r.writeJSON(&inJSON)); err != nil {
		t.Fatal(err)
	}
	for format, out := range map[string]string{"text": text.String(), "json": inJSON.String()} {
		if r, harmful := clitest.Harmful(out); harmful || !clitest.Unharmed(out) || strings.Count(out, "\n") != 1 {
			t.Errorf("%s: %U in %q", format, r, out)
		}
	}
	if !strings.HasSuffix(text.String(), " -> one two three\n") {
		t.Errorf("%q", text.String())
	}
	var got struct{ Checks []finding }
	if err := json.Unmarshal([]byte(inJSON.String()), &got); err != nil || len(got.Checks) != 1 || got.Checks[0] != r.findings[0] {
		t.Errorf("the JSON has %+v, %v", got.Checks, err)
	}
}

func TestDoctor_TimeoutOf0_IsWrongUsage(t *testing.T) {
	t.Parallel()
	for _, timeout := range []string{"0s", "-1s"} {
		if got := digate(t, "doctor", "--timeout="+timeout); got.Code != client.ExitUsage || !strings.Contains(got.Err, "--timeout: must be more than 0") || got.Out != "" {
			t.Errorf("%s: %+v", timeout, got)
		}
	}
}

func TestDoctor_OtherClock_IsAWarning(t *testing.T) {
	for offset, want := range map[time.Duration]string{-time.Hour: "ahead of", time.Hour: "behind"} {
		upstream, _ := watched(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Date", time.Now().Add(offset).UTC().Format(http.TimeFormat))
			says(200, "application/json", `{"data":[],"has_more":false}`).ServeHTTP(w, r)
		}))
		got := examine(t, "--upstream-url", upstream.URL)
		got.expect(t, "oososoooswooss")
		if f := got.checks["clock"].Found; !strings.Contains(f, want) || !strings.Contains(f, "1h0m") && !strings.Contains(f, "59m") {
			t.Errorf("offset %s: %s", offset, f)
		}
	}
}

func TestDoctor_NoResponse_EndsWithTheTimeout(t *testing.T) {
	let := make(chan bool)
	upstream, _ := watched(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-let:
		case <-r.Context().Done():
		}
	}))
	defer close(let)
	begun := time.Now()
	got := examine(t, "--upstream-url", upstream.URL, "--timeout", "300ms")
	if took := time.Since(begun); took > await.Patience/2 {
		t.Errorf("it took %s", took)
	}
	got.expect(t, "oososoFsssooss")
}

// create makes an integration in the stand-in.
// The check of the network has a time of its own, so that the others have theirs.
func TestDoctor_NoResponseWithoutACredential_LeavesTheOtherChecksTheirTime(t *testing.T) {
	t.Parallel()
	let := make(chan struct{})
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "" {
			<-let
			return
		}
		says(200, "application/json", `{"data":[],"has_more":false}`).ServeHTTP(w, r)
	}))
	t.Cleanup(upstream.Close)
	t.Cleanup(func() { close(let) })
	got := examine(t, "--upstream-url", upstream.URL, "--token-file", clitest.WriteFile(t, "token", clitest.Token))
	got.expect(t, "oososooossooss")
}

func create(t *testing.T, upstreamURL string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, upstreamURL+"/v1/integration/template/"+clitest.TemplateID+"/copy", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+clitest.Token)
	req.Header.Set("Content-Type", "application/json")
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		t.Fatal(resp.Status)
	}
}

func TestMain(m *testing.M) { clitest.Main(m) }

// command is doctor as the program runs it.
type command struct {
	Command `embed:""`
}

func (c *command) Run(ctx context.Context, std term.IO) error {
	return c.Examine(ctx, std, "v1.2.3-test")
}

func digate(t *testing.T, args ...string) clitest.Ran {
	t.Helper()
	return clitest.RunWith(t, func(ctx context.Context, args []string, std term.IO) int {
		var commands struct {
			Doctor command `cmd:""`
		}
		return clitest.Run(ctx, &commands, args, std)
	}, "", args...)
}

// doctor shows every failure, so it does not repeat a read, as serve would.
func TestDoctor_FailingUpstream_IsAskedOnceAndByTheVersion(t *testing.T) {
	agents := make(chan string, 16)
	upstream, seen := watched(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		agents <- r.Header.Get("User-Agent")
		says(502, "text/html", "<html>").ServeHTTP(w, r)
	}))
	examine(t, "--upstream-url", upstream.URL).expect(t, "oososoFssoooss")
	if n := seen.onlyGETs(t); n != 2 {
		t.Errorf("%d requests: the probe and one call were expected", n)
	}
	for range len(agents) {
		if agent := <-agents; agent != "digate/v1.2.3-test" {
			t.Errorf("got %q", agent)
		}
	}
}
