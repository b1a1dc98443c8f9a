//go:build unix

package certs_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/digate/digate/server/certs"
	"github.com/digate/digate/server/certs/authority"
	"github.com/digate/digate/server/certs/certstest"
)

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func TestLoad_KeysOfEveryForm_AreRead(t *testing.T) {
	t.Parallel()
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rs, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	sec1, _ := x509.MarshalECPrivateKey(ec)
	pkcs8, _ := x509.MarshalPKCS8PrivateKey(ec)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	ofEC, _ := x509.CreateCertificate(rand.Reader, template, template, ec.Public(), ec)
	ofRSA, _ := x509.CreateCertificate(rand.Reader, template, template, rs.Public(), rs)
	for name, c := range map[string]struct{ cert, key []byte }{
		"SEC 1":                   {ofEC, encode("EC PRIVATE KEY", sec1)},
		"PKCS #8":                 {ofEC, encode("PRIVATE KEY", pkcs8)},
		"PKCS #1":                 {ofRSA, encode("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rs))},
		"after its parameters":    {ofEC, append(encode("EC PARAMETERS", []byte{6, 8, 42, 134, 72, 206, 61, 3, 1, 7}), encode("EC PRIVATE KEY", sec1)...)},
		"after a byte-order mark": {ofEC, append([]byte("\ufeff"), encode("PRIVATE KEY", pkcs8)...)},
	} {
		dir := t.TempDir()
		certstest.Write(t, filepath.Join(dir, "tls.crt"), append([]byte("\ufeff"), encode("CERTIFICATE", c.cert)...))
		certstest.Write(t, filepath.Join(dir, "tls.key"), c.key)
		m, err := filesIn(dir).Load()
		if err != nil || m.Certificate.Leaf == nil || m.NotAfter().Unix() != template.NotAfter.Unix() {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLoad_WhatCannotBeUsed_IsNamedWithItsFlagAndNotQuoted(t *testing.T) {
	t.Parallel()
	a := certstest.NewAuthority(t)
	cert, key := a.Issue(t, authority.Request{Names: []string{"one"}})
	const secret = "c2VjcmV0"
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	write := func(name string, b []byte) string { return certstest.Write(t, filepath.Join(dir, name), b) }
	good := certs.Files{Certificate: certs.File{Flag: "cert", Path: write("crt", cert)}, Key: certs.File{Flag: "key", Path: write("key", key)}}
	for want, change := range map[string]func(*certs.Files){
		"--key: the key in /T/1 is encrypted; decrypt it": func(f *certs.Files) {
			f.Key.Path = write("1", []byte("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"+secret+"\n-----END ENCRYPTED PRIVATE KEY-----\n"))
		},
		"--key: the key in /T/2 is encrypted": func(f *certs.Files) {
			f.Key.Path = write("2", []byte("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\n"+secret+"\n-----END RSA PRIVATE KEY-----\n"))
		},
		"--key: the key in /T/3: is none that is known here":         func(f *certs.Files) { f.Key.Path = write("3", encode("PRIVATE KEY", []byte("secret"))) },
		"--key: there is no private key in /T/crt":                   func(f *certs.Files) { f.Key.Path = f.Certificate.Path },
		"--cert: certificate 1 in /T/4: x509: malformed certificate": func(f *certs.Files) { f.Certificate.Path = write("4", encode("CERTIFICATE", []byte("x"))) },
		"--cert: there is no certificate in /T/key":                  func(f *certs.Files) { f.Certificate.Path = f.Key.Path },
		"--cert: cannot read /T/none: no such file or directory":     func(f *certs.Files) { f.Certificate.Path = dir + "/none" },
		"--cert: /T/fifo is no regular file":                         func(f *certs.Files) { f.Certificate.Path = fifo },
		"--cert: /T is no regular file":                              func(f *certs.Files) { f.Certificate.Path = dir },
		"--cert: /T/5 is larger than 1 MiB":                          func(f *certs.Files) { f.Certificate.Path = write("5", make([]byte, 1<<20+1)) },
		"--key: must be the path of a file": func(f *certs.Files) {
			f.Key.Path = "-----BEGIN PRIVATE KEY-----" + secret
		},
		"--key: must be the path of a file, and is not one":           func(f *certs.Files) { f.Key.Path = secret + "\n" + secret },
		"--ca: there is no certificate in /T/key":                     func(f *certs.Files) { f.Authorities = certs.File{Flag: "ca", Path: f.Key.Path} },
		"--key: the key is not that of the first certificate in /T/6": func(f *certs.Files) { f.Certificate.Path = write("6", append(a.PEM(), cert...)) },
	} {
		f := good
		change(&f)
		_, err := f.Load()
		if err == nil || !strings.HasPrefix(strings.ReplaceAll(err.Error(), dir, "/T"), want) {
			t.Errorf("got %v, want %s", err, want)
		}
		if err != nil && (strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), "secret")) {
			t.Errorf("the error quotes the key: %v", err)
		}
	}
}
