package upstream

import (
	"crypto/tls"
	"io"
	"net"
	"testing"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/certs"
	"github.com/digate/digate/server/certs/authority"
	"github.com/digate/digate/server/certs/certstest"
	"github.com/digate/digate/test/await"
)

// A server says after the request, in TLS 1.3, that it misses the client's certificate.
// It has read nothing of the request.
func TestCall_CertificateThatDigaDoesNotAccept_IsNotSent(t *testing.T) {
	a, others := certstest.NewAuthority(t), certstest.NewAuthority(t)
	good, bad := a.Certificate(t, authority.Request{Names: []string{"digate"}}), others.Certificate(t, authority.Request{Names: []string{"digate"}})
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		v := newUpstream(t, &tls.Config{
			Certificates: []tls.Certificate{a.Certificate(t, authority.Request{Names: []string{"127.0.0.1"}})},
			ClientAuth:   tls.RequireAndVerifyClientCert, ClientCAs: a.Pool(t), MinVersion: version, MaxVersion: version,
		}, responding(created()))
		with := func(cert *tls.Certificate) *result {
			return copyOne(t.Context(), newClient(t, v.url(), func(c *Config) { c.Material = &certs.Material{Authorities: a.Pool(t), Certificate: cert} }))
		}
		const cause = "Diga did not accept the client's certificate, or misses one"
		missing := cause
		if version == tls.VersionTLS12 { // which has no alert for that
			missing = "TLS failed"
		}
		with(nil).want(t, apierror.ReasonUnreachable, notSent, 0, 1, missing)
		with(&bad).want(t, apierror.ReasonUnreachable, notSent, 0, 1, cause)
		if got, _ := v.seen(); len(got) > 0 {
			t.Errorf("the server read %q", got)
		}
		with(&good).want(t, "", done, 201, 1, "")
	}
}

// New connections are verified with the new authorities. A call under way is not
// disturbed.
func TestUse_OtherAuthorities_AreThoseOfNewConnections(t *testing.T) {
	a, b := certstest.NewAuthority(t), certstest.NewAuthority(t)
	began, release := make(chan struct{}, 9), make(chan struct{})
	v := newUpstream(t, &tls.Config{Certificates: []tls.Certificate{a.Certificate(t, authority.Request{Names: []string{"127.0.0.1"}})}, MinVersion: tls.VersionTLS12},
		func(c net.Conn, request string) bool {
			began <- struct{}{}
			<-release
			return responding(created())(c, request)
		})
	c := newClient(t, v.url(), trusting(a.Pool(t)))
	underWay := make(chan *result, 1)
	go func() { underWay <- copyOne(t.Context(), c) }()
	await.Value(t, began, "a call under way")
	c.Use(&certs.Material{Authorities: b.Pool(t)})
	copyOne(t.Context(), c).want(t, apierror.ReasonUnreachable, notSent, 0, 1, "Diga's certificate is not valid for this host")
	close(release)
	await.Value(t, underWay, "the call").want(t, "", done, 201, 1, "")
	copyOne(t.Context(), c).want(t, apierror.ReasonUnreachable, notSent, 0, 1, "Diga's certificate is not valid for this host")
	c.Use(&certs.Material{Authorities: a.Pool(t)})
	copyOne(t.Context(), c).want(t, "", done, 201, 1, "")
}

// A connection that was idle when the certificate was replaced is not used again.
func TestUse_OtherCertificate_IsShownByTheNextCall(t *testing.T) {
	a := certstest.NewAuthority(t)
	shown, ended := make(chan string, 1), make(chan struct{}, 9)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		v := newUpstream(t, &tls.Config{
			Certificates: []tls.Certificate{a.Certificate(t, authority.Request{Names: []string{"127.0.0.1"}})},
			ClientAuth:   tls.RequireAndVerifyClientCert, ClientCAs: a.Pool(t), MinVersion: version, MaxVersion: version,
		}, func(c net.Conn, request string) bool {
			shown <- c.(*tls.Conn).ConnectionState().PeerCertificates[0].Subject.CommonName
			_, _ = io.WriteString(c, created())
			untilClosed(c)
			ended <- struct{}{}
			return false
		})
		with := func(name string) *certs.Material {
			cert := a.Certificate(t, authority.Request{Names: []string{name}})
			return &certs.Material{Authorities: a.Pool(t), Certificate: &cert}
		}
		c := newClient(t, v.url(), func(c *Config) { c.Material = with("one") })
		for _, name := range []string{"one", "two"} {
			copyOne(t.Context(), c).want(t, "", done, 201, 1, "")
			if got := await.Value(t, shown, "a request"); got != name {
				t.Errorf("the certificate is that of %q, want %q", got, name)
			}
			c.Use(with("two"))
			await.Value(t, ended, "the end of the idle connection")
		}
	}
}
