package server_test

import (
	"bufio"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/digate/digate/server/config"
)

// adminAs gets a page of the admin listener under a host.
func (d *digate) adminAs(t *testing.T, host, path string) response {
	t.Helper()
	c := connect(t, d.AdminAddr())
	_, _ = fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", path, host)
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	return read(t, resp)
}

// A page that has its own name resolve to this machine reads nothing.
func TestAdmin_HostOfSomebodyElse_IsRefused(t *testing.T) {
	t.Parallel()
	d := start(t, "http://127.0.0.1:1", func(c *config.Config) { c.Admin.Pprof, c.Admin.HostNames = true, "digate, digate.internal" })
	for host, want := range map[string]int{
		"127.0.0.1": 200, "127.0.0.1:9091": 200, "[::1]": 200, "[::1]:9091": 200, "10.1.2.3:9091": 200, "localhost": 200, "LOCALHOST:9091": 200,
		"digate:9091": 200, "Digate.Internal": 200, "": 200,
		"evil.example": 421, "evil.example:9091": 421, "localhost.evil.example": 421, "127.0.0.1.evil.example": 421, "digate.evil.example": 421, "[evil.example]": 421,
	} {
		for _, path := range []string{"/metrics", "/healthz", "/readyz", "/debug/pprof/heap"} {
			if got := d.adminAs(t, host, path); got.status != want {
				t.Errorf("%q %s: %d, want %d", host, path, got.status, want)
			}
		}
		if got := d.adminAs(t, host, "/nothing").status; want == 421 && got != 421 {
			t.Errorf("%q: %d", host, got)
		}
	}
}

// An operator sees that somebody asks.
func TestAdmin_RequestsThatAreRefused_HaveALine(t *testing.T) {
	t.Parallel()
	d := start(t, "http://127.0.0.1:1")
	for host, path := range map[string]string{"evil.example": "/metrics", "localhost": "/nothing"} {
		d.adminAs(t, host, path)
	}
	d.log.await(t, 1, `"a request of the admin listener was refused","http_status":421`)
	d.log.await(t, 1, `"a request of the admin listener was refused","http_status":404`)
	if got := d.adminAs(t, "localhost", "/healthz"); got.status != 200 || strings.Contains(d.log.String(), `"http_status":200`) {
		t.Errorf("a request that is served: %d", got.status)
	}
	if strings.Contains(d.log.String(), "evil.example") {
		t.Error("the log names a stranger's host")
	}
}

// The profiles are there on demand, and the command line, which may hold a password,
// never.
func TestAdmin_Profiles_AreThereOnDemandWithoutTheCommandLine(t *testing.T) {
	t.Parallel()
	for _, on := range []bool{false, true} {
		d := start(t, "http://127.0.0.1:1", func(c *config.Config) { c.Admin.Pprof = on })
		for path, want := range map[string]bool{
			"/debug/pprof/": true, "/debug/pprof/heap": true, "/debug/pprof/goroutine?debug=1": true, "/debug/pprof/symbol": true,
			"/debug/pprof/cmdline": false, "/debug/pprof/cmdline/": false, "/debug/vars": false,
		} {
			got := d.admin(t, path)
			if ok := got.status == http.StatusOK; ok != (on && want) || strings.Contains(got.body, "-test.") {
				t.Errorf("on %v, %s: %d", on, path, got.status)
			}
		}
	}
}

func TestAdmin_ChunksBesideALength_CloseTheConnection(t *testing.T) {
	t.Parallel()
	d := start(t, "http://127.0.0.1:1")
	c := connect(t, d.AdminAddr())
	_, _ = fmt.Fprint(c, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || !resp.Close {
		t.Fatalf("%v, %+v", err, resp)
	}
	_ = resp.Body.Close()
}

// The level of the log can be changed on the admin listener, and there alone.
func TestAdmin_LogLevel_IsChangedThereAlone(t *testing.T) {
	t.Parallel()
	d := start(t, "http://127.0.0.1:1")
	put := func(base string) response {
		return send(t, d.http, http.MethodPut, base, "/log-level", `{"level":"DEBUG","for":"10m"}`)
	}
	if got := put(d.rest); got.status != 404 {
		t.Errorf("REST: %v", got)
	}
	if strings.Contains(d.admin(t, "/").body, "log level is") {
		t.Error("the page shows the level of the setting")
	}
	if got := put(d.adminURL); got.status != 200 || !strings.HasPrefix(got.body, `{"level":"DEBUG","setting":"INFO","was":"INFO","until":"`) {
		t.Errorf("%v", got)
	}
	if got := d.admin(t, "/status.json").body; !strings.Contains(got, `"level": "DEBUG"`) {
		t.Error(got)
	}
	page := send(t, d.http, http.MethodGet, d.adminURL, "/", "", "Accept", "text/html").body
	if !strings.Contains(page, "The log level is DEBUG</strong>, and INFO by its setting") {
		t.Error("the page does not show it")
	}
	if got := send(t, d.http, http.MethodPost, d.adminURL, "/log-level", `{"level":"DEBUG"}`); got.status != 405 {
		t.Errorf("%v", got) // a form of a foreign page could send it
	}
	d.log.await(t, 1, `"msg":"the log level was changed","level_before":"INFO","level_now":"DEBUG","remote":"127.0.0.1:`)
}
