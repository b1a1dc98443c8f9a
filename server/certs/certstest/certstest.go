// Package certstest writes certificates of an authority of its own to files, for tests.
package certstest

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"

	"github.com/digate/digate/server/certs/authority"
)

// Authority issues certificates.
type Authority struct {
	*authority.Authority
	// File is the path of a file with the authority's certificate.
	File string
}

// NewAuthority returns an authority. Its file is gone when the test ends.
func NewAuthority(t testing.TB) *Authority {
	t.Helper()
	a, err := authority.New("authority of a test")
	if err != nil {
		t.Fatal(err)
	}
	return &Authority{a, Write(t, filepath.Join(t.TempDir(), "ca.pem"), a.PEM())}
}

// Write writes a file and returns its path.
func Write(t testing.TB, path string, text []byte) string {
	t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Issue returns a certificate with these names, and its key.
func (a *Authority) Issue(t testing.TB, r authority.Request) (cert, key []byte) {
	t.Helper()
	cert, key, err := a.Authority.Issue(r)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

// Pair writes a certificate with these names and its key to tls.crt and tls.key of a
// directory, and returns their paths.
func (a *Authority) Pair(t testing.TB, dir string, names ...string) (certFile, keyFile string) {
	t.Helper()
	cert, key := a.Issue(t, authority.Request{Names: names})
	return Write(t, filepath.Join(dir, "tls.crt"), cert), Write(t, filepath.Join(dir, "tls.key"), key)
}

// Certificate returns a certificate with these names.
func (a *Authority) Certificate(t testing.TB, r authority.Request) tls.Certificate {
	t.Helper()
	pair, err := tls.X509KeyPair(a.Issue(t, r))
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// Pool returns the authority as one that is trusted.
func (a *Authority) Pool(t testing.TB) *x509.CertPool {
	t.Helper()
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(a.PEM()) {
		t.Fatal("the authority's own PEM has no certificate")
	}
	return pool
}

// Client returns the settings of a client that trusts the authority alone, and shows
// these certificates.
func (a *Authority) Client(t testing.TB, shown ...tls.Certificate) *tls.Config {
	t.Helper()
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: a.Pool(t), Certificates: shown}
}
