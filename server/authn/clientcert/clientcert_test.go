package clientcert_test

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/digate/digate/server/authn/clientcert"
)

func certificate(ends time.Time) *x509.Certificate {
	return &x509.Certificate{
		Subject: pkix.Name{CommonName: "cn.example"}, DNSNames: []string{"a.example"},
		URIs: []*url.URL{{Scheme: "spiffe", Host: "example", Path: "/billing"}}, NotAfter: ends,
	}
}

func TestOf_OnlyAVerifiedCertificate_HasNames(t *testing.T) {
	t.Parallel()
	later, latest := time.Now().Add(time.Hour), time.Now().Add(2*time.Hour)
	past := time.Now().Add(-time.Second)
	for name, c := range map[string]struct {
		state *tls.ConnectionState
		want  string
		err   error
	}{
		"plain text":     {nil, "", nil},
		"no certificate": {&tls.ConnectionState{}, "", nil},
		"not verified":   {&tls.ConnectionState{PeerCertificates: []*x509.Certificate{certificate(later)}}, "", nil},
		"verified": {
			&tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{certificate(latest), certificate(later)}}},
			fmt.Sprint([]string{"a.example"}, []string{"spiffe://example/billing"}, later), nil,
		},
		"the longer of two chains": {
			&tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{certificate(latest), certificate(past)}, {certificate(latest), certificate(later)}}},
			fmt.Sprint([]string{"a.example"}, []string{"spiffe://example/billing"}, later), nil,
		},
		"expired":              {&tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{certificate(past), certificate(later)}}}, "", clientcert.ErrExpired},
		"its issuer's expired": {&tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{certificate(later), certificate(past)}}}, "", clientcert.ErrExpired},
	} {
		n, err := clientcert.Of(c.state)
		got := ""
		if n != nil {
			got = fmt.Sprint(n.DNS, n.URIs, n.Expires)
		}
		if got != c.want || !errors.Is(err, c.err) {
			t.Errorf("%s: got %q, %v, want %q, %v", name, got, err, c.want, c.err)
		}
	}
}
