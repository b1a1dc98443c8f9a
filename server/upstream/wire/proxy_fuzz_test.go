package wire

import (
	"slices"
	"strings"
	"testing"
)

// FuzzParseProxy reads any value of HTTPS_PROXY: it is a proxy that can be dialed, or an
// error that does not quote it.
func FuzzParseProxy(f *testing.F) {
	for _, s := range []string{"proxy:3128", "http://u:s3cr3t@proxy:1", "socks5h://[::1]:1080", "https://", "http://a:0", "ftp://a", "http://a b", "://", "http://a:99999", "[::1%25en0]:1", "http://%zz@a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		u, err := parseProxy(value)
		if err != nil {
			if len(value) > 5 && strings.Contains(err.Error(), value) && !strings.Contains("is not the URL of a proxy, such as http://proxy.example:3128 must begin with http://, https://, socks5:// or socks5h:// has a port that does not exist", value) {
				t.Errorf("the error quotes %q: %v", value, err)
			}
			return
		}
		if u.Hostname() == "" || u.Port() == "0" || !slices.Contains([]string{"http", "https", "socks5", "socks5h"}, u.Scheme) {
			t.Errorf("%q is the proxy %q", value, u)
		}
	})
}
