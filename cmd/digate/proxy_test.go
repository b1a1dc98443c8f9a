package main

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/clitest"
	"github.com/digate/digate/test/await"
)

func TestCopy_ProxyThatIsNone_IsNamed(t *testing.T) {
	t.Setenv("DIGATE_TOKEN", clitest.Token)
	t.Setenv("NO_PROXY", "")
	for value, want := range map[string]string{
		"http://proxy example:3128": "HTTPS_PROXY in the environment is not the URL of a proxy",
		"ftp://proxy.example":       "HTTPS_PROXY in the environment must begin with",
		"socks5://proxy.example":    "HTTPS_PROXY in the environment must begin with http://:",
	} {
		t.Setenv("HTTPS_PROXY", value)
		got := digate(t, "copy", clitest.TemplateID, "--addr", "digate.example:9090", "--timeout", "10s")
		if got.Code != client.ExitFailed || !strings.Contains(got.Err, want) || strings.Contains(got.Err, "proxy example") {
			t.Errorf("%s: %+v", value, got)
		}
	}
}

// tunnel is a proxy that leads every tunnel to one address, and tells where it was
// asked to lead.
func tunnel(t *testing.T, to string) (addr string, asked <-chan string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	seen, ended := make(chan string, 1), make(chan struct{})
	t.Cleanup(func() { _ = ln.Close(); <-ended })
	go func() {
		defer close(ended)
		c, err := ln.Accept()
		if err != nil {
			return
		}
		defer func() { _ = c.Close() }()
		in := bufio.NewReader(c)
		r, err := http.ReadRequest(in)
		if err != nil {
			t.Error(err)
			return
		}
		seen <- r.Method + " " + r.Host
		target, err := net.Dial("tcp", to)
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = target.Close() }()
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
		go func() { _, _ = io.Copy(target, in); _ = target.Close() }()
		_, _ = io.Copy(c, target)
	}()
	return ln.Addr().String(), seen
}

func TestCopy_Proxy_IsAskedForATunnelAndNamedIfItIsAway(t *testing.T) {
	r := &recorder{authorization: make(chan string, 1)}
	addr, asked := tunnel(t, serveRecorder(t, r))
	run := func(proxy string) *process {
		cmd := exec.Command(binary(t), "copy", clitest.TemplateID, "--addr", "digate.example:9090", "--timeout", "10s")
		cmd.Env = append(cmd.Environ(), "DIGATE_TOKEN="+clitest.Token, "HTTPS_PROXY="+proxy, "NO_PROXY=", "https_proxy=", "no_proxy=")
		p := new(process)
		cmd.Stdout, cmd.Stderr = &p.out, &p.err
		p.start(t, cmd)
		return p
	}
	p := run("http://" + addr)
	if got := await.Value(t, asked, "a tunnel"); got != "CONNECT digate.example:9090" {
		t.Errorf("asked for %s", got)
	}
	if code := p.wait(t); code != client.ExitDone {
		t.Errorf("exit code %d: %s", code, p.err.String())
	}
	p = run("http://127.0.0.1:1")
	if code := p.wait(t); code != client.ExitNotSent || !strings.Contains(p.err.String(), "at digate.example:9090 through the proxy 127.0.0.1:1 (HTTPS_PROXY)") {
		t.Errorf("a proxy that is away: exit code %d: %s", code, p.err.String())
	}
}
