package certs

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/digate/digate/server/nearjson"
)

// Material is the parsed content of files.
type Material struct {
	// Certificate is the certificate of this side, with its chain and key. It is nil if
	// no file is set. Its Leaf is set.
	Certificate *tls.Certificate
	// Authorities is nil if no file is set.
	Authorities *x509.CertPool

	content content
}

// Load reads the files. Its error is a [FileError] and quotes nothing of a key.
func (f Files) Load() (*Material, error) {
	c := f.read()
	return f.parse(&c)
}

func (f Files) parse(c *content) (*Material, error) {
	m := &Material{content: *c}
	for i, file := range []File{f.Certificate, f.Key, f.Authorities} {
		if c[i].err != nil {
			return nil, &FileError{file.Flag, c[i].err}
		}
	}
	if f.Certificate.Path != "" {
		chain, err := certificates(c[0].bytes, f.Certificate.Path)
		if err != nil {
			return nil, &FileError{f.Certificate.Flag, err}
		}
		key, err := privateKey(c[1].bytes, f.Key.Path)
		if err != nil {
			return nil, &FileError{f.Key.Flag, err}
		}
		if public, ok := chain[0].PublicKey.(interface{ Equal(crypto.PublicKey) bool }); !ok || !public.Equal(key.Public()) {
			return nil, &FileError{f.Key.Flag, fmt.Errorf("the key is not that of the first certificate in %s", f.Certificate.Path)}
		}
		m.Certificate = &tls.Certificate{PrivateKey: key, Leaf: chain[0]}
		for _, cert := range chain {
			m.Certificate.Certificate = append(m.Certificate.Certificate, cert.Raw)
		}
	}
	if f.Authorities.Path != "" {
		all, err := certificates(c[2].bytes, f.Authorities.Path)
		if err != nil {
			return nil, &FileError{f.Authorities.Flag, err}
		}
		m.Authorities = x509.NewCertPool()
		for _, cert := range all {
			m.Authorities.AddCert(cert)
		}
	}
	return m, nil
}

// NotAfter returns when the certificate expires, or the zero time if there is none.
func (m *Material) NotAfter() time.Time {
	if m.Certificate == nil {
		return time.Time{}
	}
	return m.Certificate.Leaf.NotAfter
}

// ClientConfig returns the TLS configuration of a client. It trusts the authorities or,
// without any, those of the system, and sends the certificate to every server that
// requests one.
func (m *Material) ClientConfig() *tls.Config {
	config := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: m.Authorities}
	if m.Certificate != nil {
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return m.Certificate, nil }
	}
	return config
}

// Validity returns an error if the certificate is not valid at the given time.
func (m *Material) Validity(now time.Time) error {
	switch {
	case m.Certificate == nil:
		return nil
	case now.After(m.Certificate.Leaf.NotAfter):
		return fmt.Errorf("the certificate ended at %s", m.Certificate.Leaf.NotAfter.UTC().Format(time.RFC3339))
	case now.Before(m.Certificate.Leaf.NotBefore):
		return fmt.Errorf("the certificate is not valid before %s", m.Certificate.Leaf.NotBefore.UTC().Format(time.RFC3339))
	}
	return nil
}

// certificates returns the certificates of a PEM file, which must have at least one.
func certificates(text []byte, path string) ([]*x509.Certificate, error) {
	var all []*x509.Certificate
	for text = nearjson.TrimBOM(text); ; {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue // the file may also contain the key
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d in %s: %w", len(all)+1, path, err)
		}
		all = append(all, cert)
	}
	switch {
	case len(all) > 0 && bytes.Contains(text, []byte("-----BEGIN ")):
		return nil, fmt.Errorf("what follows certificate %d in %s is cut off, or no PEM", len(all), path)
	case len(all) == 0:
		return nil, fmt.Errorf("there is no certificate in %s (a PEM file has -----BEGIN CERTIFICATE-----)", path)
	}
	return all, nil
}

// privateKey returns the first private key of a PEM file. Its error quotes nothing.
func privateKey(text []byte, path string) (crypto.Signer, error) {
	for text = nearjson.TrimBOM(text); ; {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			return nil, fmt.Errorf("there is no private key in %s (a PEM file has -----BEGIN PRIVATE KEY-----)", path)
		}
		if !strings.HasSuffix(block.Type, "PRIVATE KEY") {
			continue
		}
		if block.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED") {
			return nil, fmt.Errorf("the key in %s is encrypted; decrypt it (openssl pkey -in FILE -out FILE)", path)
		}
		key, err := parseKey(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("the key in %s: %w", path, err)
		}
		return key, nil
	}
}

func parseKey(der []byte) (crypto.Signer, error) {
	if key, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		if signer, ok := key.(crypto.Signer); ok {
			return signer, nil
		}
		return nil, errors.New("a key of this kind cannot sign")
	}
	if key, err := x509.ParseECPrivateKey(der); err == nil {
		return key, nil
	}
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key, nil
	}
	return nil, errors.New("is none that is known here (PKCS #8, PKCS #1 or SEC 1)")
}
