// Package peer holds what digate is compared with: the programs that somebody
// could write or run in its place.
package peer

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/digate/digate/bench/peers/internal/process"
)

// Settings are what every peer is told.
type Settings struct {
	// Upstream is the base URL.
	Upstream string
	// CertFile and KeyFile are for the peer's listener, which speaks TLS with them.
	CertFile, KeyFile string
	// CAFile is what the upstream's certificate is checked with.
	CAFile string
}

// servers start a peer on a listener and return how it is reached. Each serves until
// the process ends.
var servers = map[string]func(Settings, *Control) (process.Serving, error){
	"client":       serveClient,
	"echo":         serveEcho,
	"gateway":      serveGateway,
	"naive":        serveNaive,
	"reverseproxy": serveReverseProxy,
	"tuned":        serveTuned,
	"upstream":     serveUpstream,
	"vanguard":     serveVanguard,
}

// Serve runs a peer in this process, until it is killed.
func Serve(name string, s Settings) error {
	serve, ok := servers[name]
	if !ok {
		return fmt.Errorf("there is no peer %q", name)
	}
	c := &Control{mux: http.NewServeMux()}
	c.mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		fmt.Fprintf(w, "go_memstats_mallocs_total %d\ngo_memstats_alloc_bytes_total %d\n", stats.Mallocs, stats.TotalAlloc)
	})
	c.mux.HandleFunc("GET /delay", func(w http.ResponseWriter, r *http.Request) {
		d, err := time.ParseDuration(r.FormValue("delay"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		c.delay.Store(int64(d))
	})
	serving, err := serve(s, c)
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	serving.Admin = ln.Addr().String()
	if err := serving.Announce(os.Stdout); err != nil {
		return err
	}
	return http.Serve(ln, c.mux) //nolint:gosec // on loopback, for the run that started it
}

// Control is how a run tells a peer what to do: its admin listener.
type Control struct {
	mux   *http.ServeMux
	delay atomic.Int64
}

// Delay returns how long a call takes that waits for nobody.
func (c *Control) Delay() time.Duration { return time.Duration(c.delay.Load()) }

// listen returns a listener, over TLS if there is a certificate.
func (s Settings) listen(protocols ...string) (net.Listener, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil || s.CertFile == "" {
		return ln, err
	}
	config, err := s.serverTLS(protocols...)
	if err != nil {
		return nil, err
	}
	return tls.NewListener(ln, config), nil
}

// serverTLS returns the TLS config of a listener, nil without a certificate.
func (s Settings) serverTLS(protocols ...string) (*tls.Config, error) {
	if s.CertFile == "" {
		return nil, nil
	}
	cert, err := tls.LoadX509KeyPair(s.CertFile, s.KeyFile)
	return &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: protocols}, err
}

// transport returns net/http's transport with as many idle connections as there can
// be calls. As it comes, it keeps two to one host.
func (s Settings) transport() (*http.Transport, error) {
	t := &http.Transport{MaxIdleConnsPerHost: 10_000, DisableCompression: true}
	config, err := s.clientTLS()
	t.TLSClientConfig = config
	return t, err
}

// clientTLS returns the TLS config that trusts the upstream.
func (s Settings) clientTLS() (*tls.Config, error) {
	if s.CAFile == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(s.CAFile)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, errors.New(strconv.Quote(s.CAFile) + " has no certificate")
	}
	return &tls.Config{RootCAs: roots}, nil
}
