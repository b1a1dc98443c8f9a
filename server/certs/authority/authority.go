// Package authority issues certificates of an authority that is made for a while: for a
// server that somebody tries out, and for tests.
package authority

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// Authority issues certificates.
type Authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// lifetime is how long an authority and its certificates are valid, unless a certificate is
// to have another time.
const lifetime = 30 * 24 * time.Hour

// backdate is how long before they are made authorities and certificates are valid:
// clocks differ.
const backdate = time.Hour

// New returns an authority with this name.
func New(name string) (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-backdate), NotAfter: time.Now().Add(lifetime),
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &Authority{cert, key}, nil
}

// PEM returns the authority's certificate.
func (a *Authority) PEM() []byte { return encode("CERTIFICATE", a.cert.Raw) }

// Request says what a certificate is for.
type Request struct {
	// Names are host names, IP addresses and URIs. The first one is the common name too.
	Names []string
	// NotBefore and NotAfter are the certificate's time, by default that of the
	// authority.
	NotBefore, NotAfter time.Time
}

// Issue returns a certificate for servers and clients, and its key.
func (a *Authority) Issue(r Request) (cert, key []byte, _ error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial, NotBefore: r.NotBefore, NotAfter: r.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if len(r.Names) > 0 {
		template.Subject.CommonName = r.Names[0]
	}
	if r.NotBefore.IsZero() {
		template.NotBefore = a.cert.NotBefore
	}
	if r.NotAfter.IsZero() {
		template.NotAfter = a.cert.NotAfter
	}
	for _, name := range r.Names {
		if ip, err := netip.ParseAddr(name); err == nil {
			template.IPAddresses = append(template.IPAddresses, ip.AsSlice())
		} else if !strings.Contains(name, "://") {
			template.DNSNames = append(template.DNSNames, name)
		} else if uri, err := url.Parse(name); err == nil {
			template.URIs = append(template.URIs, uri)
		} else {
			return nil, nil, err
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, private.Public(), a.key)
	if err != nil {
		return nil, nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, nil, err
	}
	return encode("CERTIFICATE", der), encode("PRIVATE KEY", keyDER), nil
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
