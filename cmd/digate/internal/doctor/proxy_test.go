package doctor

import (
	"bytes"
	"strings"
	"testing"

	"github.com/digate/digate/server"
	"github.com/digate/digate/server/config"
)

// A proxy that is no URL keeps serve from starting, and doctor says why.
func TestDoctor_ProxyThatIsNoURL_IsRefusedAsByServe(t *testing.T) {
	for _, name := range []string{"NO_PROXY", "no_proxy", "https_proxy", "ALL_PROXY"} {
		t.Setenv(name, "")
	}
	t.Setenv("HTTPS_PROXY", "http://proxy example:3128")
	c := config.Defaults()
	c.Upstream.URL = "https://diga.invalid"
	var e examination
	var out bytes.Buffer
	e.cfg = c
	e.tell = func(f finding) error { return f.writeText(&out) }
	e.run(t.Context())
	if !strings.Contains(out.String(), "FAIL     proxy          HTTPS_PROXY in the environment is not the URL of a proxy") {
		t.Errorf("doctor says\n%s", &out)
	}
	c.GRPCAddr, c.HTTPAddr, c.AdminAddr = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	s, err := server.New(t.Context(), c, server.Options{})
	if err == nil {
		s.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "HTTPS_PROXY in the environment is not the URL of a proxy") {
		t.Errorf("serve: %v", err)
	}
}
