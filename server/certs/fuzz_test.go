package certs_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/digate/digate/server/certs"
	"github.com/digate/digate/server/certs/authority"
)

// FuzzLoad reads any certificate, key and authorities: what can be served, or an error
// that quotes nothing of the key.
func FuzzLoad(f *testing.F) {
	ca, err := authority.New("ca")
	if err != nil {
		f.Fatal(err)
	}
	cert, key, err := ca.Issue(authority.Request{Names: []string{"localhost"}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(cert, key, ca.PEM())
	f.Add(append(cert, ca.PEM()...), append([]byte("\ufeff"), key...), append(ca.PEM(), key...))
	f.Add(cert[:len(cert)/2], key[:len(key)/2], ca.PEM()[1:])
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), []byte("-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END EC PRIVATE KEY-----\n"), []byte{})
	folder := f.TempDir()
	f.Fuzz(func(t *testing.T, cert, key, authorities []byte) {
		file := func(name string, content []byte) certs.File {
			path := filepath.Join(folder, name)
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
			return certs.File{Flag: "tls-" + name, Path: path}
		}
		m, err := certs.Files{Certificate: file("cert", cert), Key: file("key", key), Authorities: file("ca", authorities)}.Load()
		if err == nil {
			if m.Certificate == nil || m.Certificate.Leaf == nil || m.Certificate.PrivateKey == nil || m.Authorities == nil {
				t.Errorf("got %+v", m)
			}
			return
		}
		for line := range strings.Lines(string(key)) {
			if line = strings.TrimSpace(line); len(line) > 30 && !strings.HasPrefix(line, "-----") && strings.Contains(err.Error(), line) {
				t.Errorf("the error quotes the key: %v", err)
			}
		}
	})
}
