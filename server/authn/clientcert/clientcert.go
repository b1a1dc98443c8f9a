// Package clientcert reads the names of callers from their client certificates.
package clientcert

import (
	"crypto/tls"
	"errors"
	"time"
)

// ErrExpired is the error of a certificate that expired after its connection was opened.
var ErrExpired = errors.New("the client certificate is expired")

// Names are the names in a verified certificate.
type Names struct {
	// DNS and URIs are the subject alternative names. The common name is not used (RFC
	// 9525, 6.4.4).
	DNS, URIs []string
	// Expires is when the certificate or one of the certificates in its chain expires,
	// whichever is first.
	Expires time.Time
}

// Of returns the names in the caller's certificate. It returns nil if the caller has no
// verified certificate, and an error if the certificate has expired since the connection
// was opened.
func Of(state *tls.ConnectionState) (*Names, error) {
	if state == nil || len(state.VerifiedChains) == 0 || len(state.VerifiedChains[0]) == 0 {
		return nil, nil
	}
	leaf := state.VerifiedChains[0][0]
	n := &Names{DNS: leaf.DNSNames}
	for _, chain := range state.VerifiedChains { // use the chain that expires last
		ends := chain[0].NotAfter
		for _, c := range chain[1:] {
			if c.NotAfter.Before(ends) {
				ends = c.NotAfter
			}
		}
		if ends.After(n.Expires) {
			n.Expires = ends
		}
	}
	if time.Now().After(n.Expires) {
		return nil, ErrExpired
	}
	for _, uri := range leaf.URIs {
		n.URIs = append(n.URIs, uri.String())
	}
	return n, nil
}
