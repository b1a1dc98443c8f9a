package doctor

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"
)

// untrusted returns why there is no TLS connection.
func untrusted(err error) string {
	var (
		hostname  x509.HostnameError
		authority x509.UnknownAuthorityError
		invalid   x509.CertificateInvalidError
		record    tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &hostname):
		return fmt.Sprintf("the certificate is for %s, not for %s", some(certNames(hostname.Certificate)), hostname.Host)
	case errors.As(err, &authority):
		return "the certificate is signed by an authority that is not trusted here"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return fmt.Sprintf("the certificate is valid from %s to %s, and not today", invalid.Cert.NotBefore.UTC().Format(time.DateOnly),
			invalid.Cert.NotAfter.UTC().Format(time.DateOnly))
	case errors.As(err, &invalid):
		return "the certificate is not valid: " + invalid.Error()
	case errors.As(err, &record):
		return "the server at this port does not speak TLS"
	default:
		return "no TLS connection: " + netReason(err)
	}
}

// certNames returns the names that a certificate is valid for.
func certNames(c *x509.Certificate) []string {
	all := slices.Clone(c.DNSNames)
	for _, ip := range c.IPAddresses {
		all = append(all, ip.String())
	}
	for _, uri := range c.URIs {
		all = append(all, uri.String())
	}
	if all == nil {
		return []string{"no name"}
	}
	return all
}
