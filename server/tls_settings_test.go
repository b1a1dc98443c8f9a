package server

import (
	"crypto/tls"
	"testing"
	"time"

	"github.com/digate/digate/server/certs"
	"github.com/digate/digate/server/certs/certstest"
	"github.com/digate/digate/server/config"
)

// tlsSettings are the tests of the settings of TLS. ca is a file with an authority.
func tlsSettings(t *testing.T, ca string) map[string]settingTest {
	t.Helper()
	dir, issuer := t.TempDir(), certstest.NewAuthority(t)
	pair := func(c *config.Config) { c.TLS.CertFile, c.TLS.KeyFile = issuer.Pair(t, dir, "localhost") }
	clientAuth := func(w wired) tls.ClientAuthType {
		if w.grpc.tls == nil {
			return tls.NoClientCert
		}
		if got := w.rest.tls.current.Load(); got.ClientCAs == nil || got.ClientAuth != w.grpc.tls.current.Load().ClientAuth {
			return tls.NoClientCert
		}
		return w.rest.tls.current.Load().ClientAuth
	}
	upstreamPair := func(c *config.Config) {
		c.Upstream.ClientCertFile, c.Upstream.ClientKeyFile = issuer.Pair(t, dir, "localhost")
	}
	shown := func(w wired) bool { return w.upstream.Material.Certificate != nil }
	return map[string]settingTest{
		"upstream-client-cert-file": {upstreamPair, shown},
		"upstream-client-key-file":  {upstreamPair, shown},

		"tls-cert-file":      {func(c *config.Config) { pair(c) }, func(w wired) bool { return w.grpc.tls != nil && w.rest.tls != nil && w.admin.tls == nil }},
		"tls-key-file":       {func(c *config.Config) { pair(c) }, func(w wired) bool { return w.grpc.tls != nil && len(w.grpc.tls.current.Load().Certificates) == 1 }},
		"tls-client-ca-file": {func(c *config.Config) { pair(c); c.TLS.ClientCAFile = ca }, func(w wired) bool { return clientAuth(w) == tls.RequireAndVerifyClientCert }},
		"tls-client-auth": {func(c *config.Config) { pair(c); c.TLS.ClientCAFile, c.TLS.ClientAuth = ca, certs.ClientOptional }, func(w wired) bool {
			return clientAuth(w) == tls.VerifyClientCertIfGiven
		}},
		"tls-reload-interval": {func(c *config.Config) { pair(c); c.TLS.Reload = 7 * time.Second }, func(w wired) bool { return w.certificates != nil && w.certificates.Interval == 7*time.Second }},
		"admin-tls": {func(c *config.Config) { pair(c); c.TLS.Admin = true }, func(w wired) bool {
			return w.admin.tls != nil && w.admin.tls.current.Load().ClientAuth == tls.NoClientCert
		}},
	}
}
