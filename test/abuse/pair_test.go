package abuse

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/digate/digate/server/certs/authority"
)

// pair is the certificate of a server and its key, in files, and the authority that
// issued it.
type pair struct {
	own       *authority.Authority
	cert, key string // the files
	// client is the TLS of whoever trusts the authority.
	client *tls.Config
}

func newPair(t *testing.T) *pair {
	t.Helper()
	own, err := authority.New("authority of the servers")
	must(t, err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(own.PEM())
	dir := t.TempDir()
	p := &pair{
		own: own, cert: filepath.Join(dir, "tls.crt"), key: filepath.Join(dir, "tls.key"),
		client: &tls.Config{RootCAs: roots, ServerName: "digate", MinVersion: tls.VersionTLS12},
	}
	cert, key, err := p.issue(time.Hour)
	must(t, err)
	must(t, os.WriteFile(p.cert, cert, 0o600))
	must(t, os.WriteFile(p.key, key, 0o600))
	return p
}

// issue returns a certificate of the server that ends in this time, which may be
// negative, and its key.
func (p *pair) issue(ends time.Duration) (cert, key []byte, err error) {
	now := time.Now()
	return p.own.Issue(authority.Request{Names: []string{"digate", "127.0.0.1"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(ends)})
}

// flags returns those of a server with the pair.
func (p *pair) flags() []string {
	return []string{"--tls-cert-file", p.cert, "--tls-key-file", p.key}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
