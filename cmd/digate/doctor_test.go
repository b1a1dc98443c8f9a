package main

import (
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/digate/digate/server/emulator"
)

// seen is what a vendor was asked for.
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
			t.Errorf("the vendor was asked to %s", r)
		}
	}
	return len(s.requests)
}

// watched runs a vendor and notes what it is asked for.
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
	t.Setenv("DIGATE_TOKEN", token)
	return srv, s
}

// says is a vendor that gives one answer.
func says(status int, contentType, body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
}

var checkNames = []string{"configuration", "proxy", "dns", "tcp", "tls", "credential", "vendor", "contract", "clock"}

// examined is a report by check.
type examined struct {
	ran
	checks map[string]finding
}

// examine runs doctor and takes its report apart.
func examine(t *testing.T, args ...string) examined {
	t.Helper()
	got := examined{digate(t, append([]string{"doctor", "--output", "json", "--timeout", "10s"}, args...)...), make(map[string]finding)}
	var report struct {
		OK     bool
		Checks []finding
	}
	if err := json.Unmarshal([]byte(got.out), &report); err != nil {
		t.Fatalf("%v in %+v", err, got.ran)
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
	if report.OK == bad || got.code != map[bool]int{true: exitFailed, false: exitDone}[bad] || got.err != "" {
		t.Errorf("ok %v, %+v", report.OK, got.ran)
	}
	checkNoSecret(t, got.ran)
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
		t.Errorf("results %s, want %s:\n%s", &got, want, e.out)
	}
}

func TestDoctor_AllIsWell(t *testing.T) {
	e := emulator.New(emulator.Options{})
	t.Cleanup(e.Close)
	vendor, seen := watched(t, e)
	if got := digate(t, "copy", templateID, "--addr", facade(t, vendor.URL)); got.code != exitDone {
		t.Fatalf("%+v", got)
	}
	seen.requests, seen.tokens = nil, nil

	examine(t, "--upstream-url", vendor.URL).expect(t, "oososoooo")
	if n := seen.onlyGETs(t); n != 4 {
		t.Errorf("%d requests: %v", n, seen.requests)
	}
	if slices.Contains(seen.tokens[1:], "") || seen.tokens[0] != "" {
		t.Errorf("credentials %q", seen.tokens)
	}

	got := digate(t, "doctor", "--upstream-url", vendor.URL)
	lines := strings.Split(strings.TrimSuffix(got.out, "\n"), "\n")
	if got.code != exitDone || got.err != "" || len(lines) != len(checkNames) {
		t.Fatalf("%+v", got)
	}
	checkNoSecret(t, got)
	for i, name := range checkNames {
		if l := lines[i]; !strings.HasPrefix(l[9:], name+" ") || strings.TrimRight(l[7:9]+l[22:24], " ") != "" || l[24] == ' ' {
			t.Errorf("line %d is %q", i, lines[i])
		}
	}
	if !strings.Contains(got.out, "5 templates and 1 integrations") {
		t.Errorf("%s", got.out)
	}
	if n := len(e.Integrations(token)); n != 1 {
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
		return says(status, "application/json", `{"status":"error","error_code":"SOME_CODE","message":"not `+token+`"}`)
	}
	page := says(200, "text/html", "<html>hunter2</html>")
	for name, row := range map[string]struct {
		vendor http.Handler // nil where the arguments name another
		args   []string
		want   string
		check  string
		found  []string
	}{
		"two settings": {nil, []string{"--grpc-addr", "x", "--upstream-url", "ftp://u:hunter2@y"}, "Fssssosss", "configuration",
			[]string{"--grpc-addr: must be", "--upstream-url: must begin"}},
		"no such name": {nil, []string{"--upstream-url", "http://vendor.invalid"}, "ooFssosss", "dns", []string{"vendor.invalid does not resolve"}},
		"refused": {nil, []string{"--upstream-url", "http://" + closed.Addr().String()}, "oosFsosss", "tcp",
			[]string{closed.Addr().String(), "connection refused"}},
		"HTML": {page, nil, "oososoFso", "vendor", []string{"HTTP 200, but not as Diga does"}},
		"gateway": {says(502, "text/html", "<html>hunter2</html>"), nil, "oososoFso", "vendor",
			[]string{"HTTP 502, but not as Diga does"}},
		"redirect": {http.RedirectHandler("https://elsewhere.invalid/", http.StatusFound), nil, "oososoFso", "vendor", []string{"HTTP 302, but not as Diga does"}},
		"401":      {envelope(401), nil, "oososoFso", "vendor", []string{"reachable, credential refused: HTTP 401, SOME_CODE"}},
		"403":      {envelope(403), nil, "oososoFso", "vendor", []string{"reachable, credential refused: HTTP 403, SOME_CODE"}},
		"500":      {envelope(500), nil, "oososoFso", "vendor", []string{"reachable, and answers HTTP 500, SOME_CODE"}},
		"no integrations": {http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/v1/integration" {
				envelope(403).ServeHTTP(w, r)
				return
			}
			says(200, "application/json", `{"data":[],"has_more":false}`).ServeHTTP(w, r)
		}), nil, "oososooFo", "contract", []string{"credential refused: HTTP 403"}},
		"hangs up": {http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }), nil,
			"oososoFss", "vendor", []string{"answer was lost (connection closed)"}},
		"token file": {page, []string{"--token-file", "/nonexistent"}, "oososFsso", "credential", []string{"--token-file: ", "no such file"}},
		"odd token": {page, []string{"--token-file", writeFile(t, "token", "hunter2 hunter2")}, "oososFsso", "credential",
			[]string{"one word of printable ASCII"}},
	} {
		t.Run(name, func(t *testing.T) {
			vendor, seen := watched(t, row.vendor)
			args := row.args
			if row.vendor != nil {
				args = append([]string{"--upstream-url", vendor.URL}, args...)
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
	vendor, seen := watched(t, says(200, "application/json", "{}"))
	t.Setenv("DIGATE_TOKEN", "")
	got := examine(t, "--upstream-url", vendor.URL)
	got.expect(t, "oososFsso")
	if n := seen.onlyGETs(t); n != 1 {
		t.Errorf("%d requests", n)
	}
}

func TestDoctor_Drift_IsNamedWithoutValues(t *testing.T) {
	vendor, _ := watched(t, says(200, "application/json",
		`{"data":[{"id":"3c90c3cc-0d44-4b50-8888-8dd25736052a","surprise":"hunter2"}],"has_more":"hunter2"}`))
	got := examine(t, "--upstream-url", vendor.URL)
	got.expect(t, "oososoowo")
	for _, want := range []string{"templates data.surprise: ", "integrations data.surprise: ", "has_more: "} {
		if !strings.Contains(got.checks["contract"].Found, want) {
			t.Errorf("no %q in %+v", want, got.checks["contract"])
		}
	}
	examine(t, "--upstream-url", vendor.URL, "--drift", "fail").expect(t, "oososooFo")
}

func TestDoctor_OtherClock_IsAWarning(t *testing.T) {
	for offset, want := range map[time.Duration]string{-time.Hour: "ahead of", time.Hour: "behind"} {
		vendor, _ := watched(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Date", time.Now().Add(offset).UTC().Format(http.TimeFormat))
			says(200, "application/json", `{"data":[],"has_more":false}`).ServeHTTP(w, r)
		}))
		got := examine(t, "--upstream-url", vendor.URL)
		got.expect(t, "oososooow")
		if f := got.checks["clock"].Found; !strings.Contains(f, want) || !strings.Contains(f, "1h0m") && !strings.Contains(f, "59m") {
			t.Errorf("offset %s: %s", offset, f)
		}
	}
}

func TestDoctor_NoAnswer_EndsWithTheTimeout(t *testing.T) {
	let := make(chan bool)
	vendor, _ := watched(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-let:
		case <-r.Context().Done():
		}
	}))
	defer close(let)
	begun := time.Now()
	got := examine(t, "--upstream-url", vendor.URL, "--timeout", "300ms")
	if took := time.Since(begun); took > patience/2 {
		t.Errorf("it took %s", took)
	}
	got.expect(t, "oososoFss")
}

func TestDoctor_Proxy_IsUsedAndItsCredentialNotShown(t *testing.T) {
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	e := emulator.New(emulator.Options{})
	t.Cleanup(e.Close)
	proxy, seen := watched(t, e) // which serves what it is asked to fetch
	doctor := func(url string) string {
		cmd := exec.Command(path, "doctor", "--upstream-url", url, "--timeout", "10s")
		proxyURL := strings.Replace(proxy.URL, "http://", "http://user:hunter2-proxy@", 1)
		cmd.Env = append(os.Environ(), "HTTP_PROXY="+proxyURL, "HTTPS_PROXY="+proxyURL, "NO_PROXY=")
		var out, stderr strings.Builder
		cmd.Stdout, cmd.Stderr = &out, &stderr
		_ = cmd.Run() // the output says how it went
		checkNoSecret(t, ran{out: out.String(), err: stderr.String()})
		return out.String()
	}
	out := doctor("http://vendor.invalid")
	if !strings.Contains(out, "by way of http://127.0.0.1:") || strings.Contains(out, "FAIL") || !strings.Contains(out, "ok       vendor") {
		t.Errorf("%s", out)
	}
	if seen.onlyGETs(t) != 4 {
		t.Errorf("%v", seen.requests)
	}
	// Nor does a proxy that opens no way lead past it.
	if out := doctor("https://vendor.invalid"); !strings.Contains(out, "FAIL     tls            no way through the proxy") {
		t.Errorf("%s", out)
	}
}

func TestDoctor_WrongUsage(t *testing.T) {
	for _, args := range [][]string{{"--timeout", "0s"}, {"--output", "xml"}, {"--upstream-timeout", "soon"}, {"more"}} {
		if got := digate(t, append([]string{"doctor"}, args...)...); got.code != exitUsage || got.out != "" || !strings.Contains(got.err, "Try: digate doctor --help") {
			t.Errorf("%v: %+v", args, got)
		}
	}
}
