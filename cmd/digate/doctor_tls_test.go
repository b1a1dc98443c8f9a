package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// certified returns a certificate of the test's own for 127.0.0.1, and a file
// with it.
func certified(t *testing.T, from, to time.Time) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: from, NotAfter: to, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key},
		writeFile(t, "ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
}

func TestDoctor_Certificate(t *testing.T) {
	const day = 24 * time.Hour
	now := time.Now()
	good, goodCA := certified(t, now.Add(-day), now.Add(100*day))
	short, shortCA := certified(t, now.Add(-day), now.Add(3*day))
	expired, expiredCA := certified(t, now.Add(-9*day), now.Add(-day))
	for name, row := range map[string]struct {
		cert       tls.Certificate
		ca         string
		host, want string
		found      string
	}{
		"good":           {good, goodCA, "127.0.0.1", "oosoooooo", "TLS 1.3, certificate for 127.0.0.1 until " + now.Add(100*day).UTC().Format(time.DateOnly) + " (99 days)"},
		"ends soon":      {short, shortCA, "127.0.0.1", "oosowoooo", "(2 days)"},
		"ended":          {expired, expiredCA, "127.0.0.1", "oosoFosss", "valid from"},
		"another's name": {good, goodCA, "localhost", "ooooFosss", "the certificate is for 127.0.0.1, not for localhost"},
		"not trusted":    {good, "", "127.0.0.1", "oosoFosss", "signed by nobody who is trusted here"},
		"others trusted": {good, anotherAuthority(t), "127.0.0.1", "oosoFosss", "signed by nobody who is trusted here"},
	} {
		t.Run(name, func(t *testing.T) {
			vendor, seen := watched(t, says(200, "application/json", `{"data":[],"has_more":false}`), func(s *httptest.Server) {
				s.TLS = &tls.Config{Certificates: []tls.Certificate{row.cert}}
				s.StartTLS()
			})
			args := []string{"--upstream-url", strings.Replace(vendor.URL, "127.0.0.1", row.host, 1)}
			if row.ca != "" {
				args = append(args, "--upstream-ca-file", row.ca)
			}
			got := examine(t, args...)
			got.expect(t, row.want)
			if f := got.checks["tls"]; !strings.Contains(f.Found, row.found) {
				t.Errorf("%+v", f)
			}
			if n := seen.onlyGETs(t); n > 0 && got.checks["tls"].Result == resultFail {
				t.Errorf("%d requests", n)
			}
		})
	}
}

func TestDoctor_NoTLSThere_IsSaid(t *testing.T) {
	vendor, _ := watched(t, says(200, "text/html", ""))
	got := examine(t, "--upstream-url", strings.Replace(vendor.URL, "http://", "https://", 1))
	got.expect(t, "oosoFosss")
	if f := got.checks["tls"].Found; !strings.Contains(f, "does not speak TLS") {
		t.Error(f)
	}
}
