package wire_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/digate/digate/server/upstream/wire"
)

// proxyEnvironment sets the variables, and unsets all other proxy variables.
func proxyEnvironment(t *testing.T, set map[string]string) {
	t.Helper()
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"} {
		t.Setenv(name, "")
		t.Setenv(strings.ToLower(name), "")
	}
	t.Setenv("REQUEST_METHOD", "")
	for name, value := range set {
		t.Setenv(name, value)
	}
}

func TestProxy_Environment_NamesAProxyOrIsRefused(t *testing.T) {
	const secretive = "hunter2"
	for _, tt := range []struct {
		base, name, value, want string // want is the proxy; it begins with "!" for an error
	}{
		{"https://api.diga.io", "HTTPS_PROXY", "", ""},
		{"https://api.diga.io", "HTTPS_PROXY", "http://proxy:3128", "http://proxy:3128"},
		{"https://api.diga.io", "https_proxy", "proxy:3128", "http://proxy:3128"},
		{"https://api.diga.io", "HTTPS_PROXY", "proxy", "http://proxy"},
		{"https://api.diga.io", "HTTPS_PROXY", "socks5://u:p@[::1]:1080", "socks5://u:p@[::1]:1080"},
		{"https://api.diga.io", "HTTPS_PROXY", "HTTPS://proxy", "https://proxy"},
		{"https://api.diga.io", "HTTP_PROXY", "http://proxy:3128", ""},
		{"http://diga.example", "HTTP_PROXY", "http://proxy:3128", "http://proxy:3128"},
		{"http://diga.example", "HTTPS_PROXY", "%", ""},
		{"http://127.0.0.1:1", "HTTP_PROXY", "%", ""},

		{"https://api.diga.io", "HTTPS_PROXY", "http://u:" + secretive + "@%zz", "!HTTPS_PROXY"},
		{"https://api.diga.io", "https_proxy", secretive + " is no url", "!https_proxy"},
		{"https://api.diga.io", "HTTPS_PROXY", " http://proxy:3128", "!HTTPS_PROXY"},
		{"https://api.diga.io", "HTTPS_PROXY", `"http://proxy:3128"`, "!HTTPS_PROXY"},
		{"https://api.diga.io", "HTTPS_PROXY", "http://", "!HTTPS_PROXY"},
		{"https://api.diga.io", "HTTPS_PROXY", "://proxy", "!HTTPS_PROXY"},
		{"https://api.diga.io", "HTTPS_PROXY", "http://:3128", "!HTTPS_PROXY"},
		{"https://api.diga.io", "HTTPS_PROXY", "proxy:port", "!HTTPS_PROXY"},
		{"https://api.diga.io", "HTTPS_PROXY", "http://proxy:99999", "!HTTPS_PROXY"},
		{"https://api.diga.io", "HTTPS_PROXY", "ftp://proxy", "!HTTPS_PROXY"},
		{"https://api.diga.io", "HTTPS_PROXY", "socks4://proxy", "!HTTPS_PROXY"},
		{"http://diga.example", "HTTP_PROXY", "a b", "!HTTP_PROXY"},
	} {
		proxyEnvironment(t, map[string]string{tt.name: tt.value})
		base, err := url.Parse(tt.base)
		if err != nil {
			t.Fatal(err)
		}
		got, err := wire.Proxy(base)
		name, refused := strings.CutPrefix(tt.want, "!")
		switch {
		case refused:
			if err == nil || !strings.HasPrefix(err.Error(), name+" in the environment ") || strings.Contains(err.Error(), secretive) {
				t.Errorf("%s=%s: %v, %v", tt.name, tt.value, got, err)
			}
		case err != nil || got == nil && tt.want != "" || got != nil && got.String() != tt.want:
			t.Errorf("%s=%s: %v, %v", tt.name, tt.value, got, err)
		}
	}
}

// An invalid variable that is not used for the host does no harm.
func TestProxy_HostWithoutProxy_GoesDirectly(t *testing.T) {
	base := &url.URL{Scheme: "https", Host: "api.diga.io"}
	for _, no := range []string{"*", "diga.io", ".diga.io", "other, api.diga.io:443"} {
		proxyEnvironment(t, map[string]string{"HTTPS_PROXY": "no url", "NO_PROXY": no})
		if got, err := wire.Proxy(base); got != nil || err != nil {
			t.Errorf("NO_PROXY=%s: %v, %v", no, got, err)
		}
	}
	proxyEnvironment(t, map[string]string{"HTTP_PROXY": "http://proxy", "REQUEST_METHOD": "GET"})
	if _, err := wire.Proxy(&url.URL{Scheme: "http", Host: "diga.example"}); err == nil || !strings.Contains(err.Error(), "REQUEST_METHOD") {
		t.Errorf("CGI: %v", err)
	}
}

func TestUnusedProxies_VariablesWithoutEffect_AreNamed(t *testing.T) {
	base := &url.URL{Scheme: "https", Host: "api.diga.io"}
	for want, set := range map[string]map[string]string{
		"":          {"HTTPS_PROXY": "http://proxy", "NO_PROXY": "a.example, .b.example,10.0.0.0/8", "ALL_PROXY": "x"},
		"ALL_PROXY": {"all_proxy": "socks5://proxy"},
		"NO_PROXY":  {"HTTPS_PROXY": "http://proxy", "no_proxy": "a.example,https://api.diga.io"},
	} {
		proxyEnvironment(t, set)
		got := wire.UnusedProxies(base)
		if want == "" && got != nil || want != "" && (len(got) != 1 || !strings.HasPrefix(got[0], want)) {
			t.Errorf("%v: %q", set, got)
		}
	}
	proxyEnvironment(t, map[string]string{"HTTPS_PROXY": "http://proxy", "NO_PROXY": "a.example b.example"})
	if got := wire.UnusedProxies(base); len(got) != 1 {
		t.Errorf("a space between entries: %q", got)
	}
}
