package client

import (
	"errors"
	"net/url"
	"strings"

	"github.com/digate/digate/server/socket"
	"github.com/digate/digate/server/upstream/wire"
)

// proxy returns the proxy through which gRPC connects to an address, nil for none.
// gRPC takes it from HTTPS_PROXY, with TLS and without, unless NO_PROXY excludes the
// address; a loopback address is always excluded. It sends CONNECT in plain text,
// whatever the scheme of the proxy's URL, so only http is taken here. The error does
// not quote the variable.
func proxy(addr string) (*url.URL, error) {
	if _, local := socket.Path(addr); local || strings.Contains(addr, "/") { // a target of gRPC's own form
		return nil, nil
	}
	p, err := wire.Proxy(&url.URL{Scheme: "https", Host: addr})
	if err == nil && p != nil && p.Scheme != "http" {
		return nil, errors.New("HTTPS_PROXY in the environment must begin with http://: gRPC has no other way through a proxy")
	}
	return p, err
}
