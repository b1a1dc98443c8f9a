// Package clientcert tells who a caller is by its client certificate.
package clientcert

import (
	"crypto/tls"
	"errors"
	"time"
)

// ErrExpired is the error of a certificate that ended after its connection was made.
var ErrExpired = errors.New("the client certificate is expired")

// Names are those in a certificate that was verified.
type Names struct {
	// DNS and URIs are its subject alternative names. Its common name is none (RFC 9525,
	// 6.4.4).
	DNS, URIs []string
	// Expires is when the certificate ends, or the first one of those that vouch for it.
	Expires time.Time
}

// Of returns the names in the caller's certificate, nil where the caller has none that
// was verified. A connection outlives its certificate, and the names do not.
func Of(state *tls.ConnectionState) (*Names, error) {
	if state == nil || len(state.VerifiedChains) == 0 || len(state.VerifiedChains[0]) == 0 {
		return nil, nil
	}
	leaf := state.VerifiedChains[0][0]
	n := &Names{DNS: leaf.DNSNames}
	for _, chain := range state.VerifiedChains { // the chain that lasts longest
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
