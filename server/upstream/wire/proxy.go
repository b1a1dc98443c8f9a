package wire

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpproxy"
)

// Proxy returns the proxy for requests to the base URL, or nil if they go directly. The
// environment names it: HTTPS_PROXY or HTTP_PROXY, depending on the URL's scheme, and
// NO_PROXY. A malformed variable is an error, whereas net/http would go directly. The
// error does not quote the variable.
func Proxy(base *url.URL) (*url.URL, error) {
	env := httpproxy.FromEnvironment()
	name, value := "HTTP_PROXY", env.HTTPProxy
	if base.Scheme == "https" {
		name, value = "HTTPS_PROXY", env.HTTPSProxy
	}
	if value == "" {
		return nil, nil
	}
	// Whether requests to the host use a proxy does not depend on the address of the
	// proxy.
	env.HTTPProxy, env.HTTPSProxy = "http://proxy.invalid", "http://proxy.invalid"
	used, err := env.ProxyFunc()(base)
	switch {
	case err != nil:
		return nil, errors.New("HTTP_PROXY is not used where REQUEST_METHOD is set, since a CGI request can set it: unset one of them")
	case used == nil:
		return nil, nil
	}
	proxy, err := parseProxy(value)
	if err != nil {
		if os.Getenv(strings.ToLower(name)) != "" {
			name = strings.ToLower(name)
		}
		return nil, fmt.Errorf("%s in the environment %w", name, err)
	}
	return proxy, nil
}

// parseProxy parses a proxy's URL. The default scheme is http. The error does not quote
// the URL, which may contain a password.
func parseProxy(value string) (*url.URL, error) {
	if !strings.Contains(value, "://") {
		value = "http://" + value
	}
	u, err := url.Parse(value)
	if err != nil || u.Hostname() == "" || strings.ContainsAny(u.Host, " \t\"'<>,;") {
		return nil, errors.New("is not the URL of a proxy, such as http://proxy.example:3128")
	}
	switch u.Scheme {
	case "http", "https", "socks5", "socks5h":
	default:
		return nil, errors.New("must begin with http://, https://, socks5:// or socks5h://")
	}
	if port, err := strconv.ParseUint(u.Port(), 10, 16); u.Port() != "" && (err != nil || port == 0) {
		return nil, errors.New("has a port that does not exist")
	}
	return u, nil
}

// UnusedProxies returns a sentence for each proxy variable in the environment that has no
// effect on requests to the base URL.
func UnusedProxies(base *url.URL) (unused []string) {
	env := httpproxy.FromEnvironment()
	value, name := env.HTTPProxy, "HTTP_PROXY"
	if base.Scheme == "https" {
		value, name = env.HTTPSProxy, "HTTPS_PROXY"
	}
	if value == "" && (os.Getenv("ALL_PROXY") != "" || os.Getenv("all_proxy") != "") {
		unused = append(unused, "ALL_PROXY is set and digate does not read it: set "+name)
	}
	for entry := range strings.SplitSeq(env.NoProxy, ",") {
		if entry = strings.TrimSpace(entry); value != "" && (strings.Contains(entry, "://") || strings.ContainsAny(entry, " \t;")) {
			unused = append(unused, "NO_PROXY has an entry that matches no host: it takes hosts, domains and addresses, with commas between them")
			break
		}
	}
	return unused
}
