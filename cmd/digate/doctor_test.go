package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/clitest"
	"github.com/digate/digate/server/emulator"
)

func TestDoctor_Proxy_IsUsedAndItsCredentialNotShown(t *testing.T) {
	e := emulator.New(emulator.Options{})
	t.Cleanup(e.Close)
	requests := make(chan string, 16)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests <- r.Method
		e.ServeHTTP(w, r) // serves what it is asked to fetch
	}))
	t.Cleanup(proxy.Close)
	t.Setenv("DIGATE_TOKEN", clitest.Token)
	doctor := func(url string) string {
		cmd := exec.Command(binary(t), "doctor", "--upstream-url", url, "--timeout", "10s")
		proxyURL := strings.Replace(proxy.URL, "http://", "http://user:hunter2-proxy@", 1)
		cmd.Env = append(os.Environ(), "HTTP_PROXY="+proxyURL, "HTTPS_PROXY="+proxyURL, "NO_PROXY=")
		var out, stderr strings.Builder
		cmd.Stdout, cmd.Stderr = &out, &stderr
		_ = cmd.Run() // the output says how it went
		clitest.CheckNoSecret(t, clitest.Ran{Out: out.String(), Err: stderr.String()})
		return out.String()
	}
	out := doctor("http://diga.invalid")
	if !strings.Contains(out, "through http://127.0.0.1:") || strings.Contains(out, "FAIL") || !strings.Contains(out, "ok       upstream") {
		t.Errorf("%s", out)
	}
	if len(requests) != 4 {
		t.Errorf("%d requests", len(requests))
	}
	// A proxy that refuses to connect is not bypassed.
	if out := doctor("https://diga.invalid"); !strings.Contains(out, "FAIL     tls            the proxy did not connect") {
		t.Errorf("%s", out)
	}
	for range 4 {
		if method := <-requests; method != http.MethodGet {
			t.Errorf("the upstream got a %s", method)
		}
	}
}

func TestDoctor_WrongUsage(t *testing.T) {
	for _, args := range [][]string{{"--timeout", "0s"}, {"--output", "xml"}, {"--upstream-timeout", "soon"}, {"more"}} {
		if got := digate(t, append([]string{"doctor"}, args...)...); got.Code != client.ExitUsage || got.Out != "" || !strings.Contains(got.Err, "Try: digate doctor --help") {
			t.Errorf("%v: %+v", args, got)
		}
	}
}
