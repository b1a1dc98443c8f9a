package server_test

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/digate/digate/server/certs/authority"
)

// overTLS reports whether the servers of a test speak TLS: those of the tests that
// [TestTLS] runs.
func overTLS(t testing.TB) bool { return strings.HasPrefix(t.Name(), "TestTLS/") }

// tlsListeners are the addresses of listeners that speak TLS, each with its protocol.
var tlsListeners sync.Map

// suiteTLS is the certificate of the servers under test.
var suiteTLS suitePKI

// suitePKI makes an authority and a certificate when the first test needs them.
type suitePKI struct {
	once sync.Once
	dir  string
	pool *x509.CertPool
}

func (p *suitePKI) make() {
	p.once.Do(func() {
		must := func(err error) {
			if err != nil {
				panic(err)
			}
		}
		a, err := authority.New("authority of the suite")
		must(err)
		cert, key, err := a.Issue(authority.Request{Names: []string{"digate.test", "127.0.0.1"}})
		must(err)
		p.dir, err = os.MkdirTemp("", "digate-tls")
		must(err)
		p.pool = x509.NewCertPool()
		p.pool.AppendCertsFromPEM(a.PEM())
		certFile, keyFile := filepath.Join(p.dir, "tls.crt"), filepath.Join(p.dir, "tls.key")
		must(os.WriteFile(certFile, cert, 0o600))
		must(os.WriteFile(keyFile, key, 0o600))
	})
}

// files returns the paths of the certificate and its key.
func (p *suitePKI) files() (cert, key string) {
	p.make()
	return filepath.Join(p.dir, "tls.crt"), filepath.Join(p.dir, "tls.key")
}

// client returns the settings of a client that trusts the servers.
func (p *suitePKI) client() *tls.Config {
	p.make()
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: p.pool, ServerName: "127.0.0.1"}
}

func (p *suitePKI) remove() {
	if p.dir != "" {
		_ = os.RemoveAll(p.dir)
	}
}

// secured returns the connection over TLS, if it leads to a listener that speaks it. Its
// handshake begins with what is read or written first.
func secured(c net.Conn) net.Conn {
	protocol, ok := tlsListeners.Load(c.RemoteAddr().String())
	if !ok {
		return c
	}
	config := suiteTLS.client()
	config.NextProtos = []string{protocol.(string)}
	return tls.Client(c, config)
}

// tcpOf returns the TCP connection below one that may be over TLS.
func tcpOf(c net.Conn) *net.TCPConn {
	if over, ok := c.(*tls.Conn); ok {
		c = over.NetConn()
	}
	return c.(*net.TCPConn)
}
