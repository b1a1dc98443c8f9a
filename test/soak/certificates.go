package soak

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"time"
)

// certificates are the upstream's certificates for TLS.
type certificates struct {
	// authority is the certificate that digate trusts, in PEM.
	authority []byte
	right     *tls.Config
	wrong     []*tls.Config
}

func newCertificates() (*certificates, error) {
	now := time.Now()
	ca, err := newAuthority(now)
	if err != nil {
		return nil, err
	}
	other, err := newAuthority(now)
	if err != nil {
		return nil, err
	}
	c := &certificates{authority: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.cert.Raw})}
	here := net.IPv4(127, 0, 0, 1)
	for _, shown := range []struct {
		by    authority
		ip    net.IP
		until time.Time
	}{
		{ca, here, now.Add(time.Hour)},
		{other, here, now.Add(time.Hour)},
		{ca, net.IPv4(192, 0, 2, 1), now.Add(time.Hour)},
		{ca, here, now.Add(-time.Minute)},
	} {
		config, err := shown.by.config(shown.ip, shown.until)
		if err != nil {
			return nil, err
		}
		if c.right == nil {
			c.right = config
		} else {
			c.wrong = append(c.wrong, config)
		}
	}
	return c, nil
}

type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(now time.Time) (authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return authority{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return authority{}, err
	}
	cert, err := x509.ParseCertificate(der)
	return authority{cert, key}, err
}

// config returns the configuration of a server whose certificate is the authority's.
func (a authority) config(ip net.IP, until time.Time) (*tls.Config, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "upstream"}, IPAddresses: []net.IP{ip},
		NotBefore: until.Add(-2 * time.Hour), NotAfter: until,
	}, a.cert, key.Public(), a.key)
	if err != nil {
		return nil, err
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, nil
}

// handshake begins TLS as the fault says. It reports whether that succeeded.
func (l *line) handshake(c net.Conn, f fault) (net.Conn, bool) {
	config := l.certs.right
	switch f.kind {
	case cutHello, plainHello:
		_, _ = c.Read(make([]byte, 64))
		if f.kind == plainHello {
			_, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
		}
		end(c, f.fin)
		return nil, false
	case silentHello:
		_, _ = io.Copy(io.Discard, c)
		return nil, false
	case wrongCert:
		config = l.certs.wrong[f.cut%len(l.certs.wrong)]
	}
	tc := tls.Server(c, config)
	if err := tc.Handshake(); err != nil {
		return nil, false
	}
	return tc, true
}
