package certs

import (
	"crypto/tls"
	"errors"
	"time"

	"github.com/digate/digate/server/setting"
)

// Settings are the TLS settings of the listeners. Without a certificate, the listeners
// use plain text.
type Settings struct {
	CertFile     string        `name:"tls-cert-file" group:"TLS:" type:"path" placeholder:"FILE" help:"PEM file with the certificate of the gRPC and REST listeners, and its chain. They then accept only TLS."`
	KeyFile      string        `name:"tls-key-file" group:"TLS:" type:"path" placeholder:"FILE" help:"PEM file with the certificate's private key."`
	ClientCAFile string        `name:"tls-client-ca-file" group:"TLS:" type:"path" placeholder:"FILE" help:"PEM file with the authorities of callers' certificates. digate then requests a certificate from callers."`
	ClientAuth   string        `name:"tls-client-auth" group:"TLS:" default:"require" enum:"require,optional" help:"Whether a caller must have a certificate of --tls-client-ca-file: require, or optional. An invalid certificate is always refused."`
	Reload       time.Duration `name:"tls-reload-interval" group:"TLS:" default:"10s" help:"How often the files of certificates, keys and authorities are reloaded, including those of the connection to Diga."`
	Admin        bool          `name:"admin-tls" group:"TLS:" help:"Use TLS on the admin listener too, with the same certificate. It requires no client certificate."`
}

// The values of Settings.ClientAuth.
const (
	// ClientRequired refuses callers without a certificate.
	ClientRequired = "require"
	// ClientOptional accepts callers without a certificate.
	ClientOptional = "optional"
)

// leastReload is the shortest interval at which files are read.
const leastReload = 10 * time.Millisecond

// Enabled reports whether the listeners use TLS.
func (s *Settings) Enabled() bool { return s.CertFile != "" }

// Files returns the files of the listeners.
func (s *Settings) Files() Files {
	return Files{
		Certificate: File{"tls-cert-file", s.CertFile},
		Key:         File{"tls-key-file", s.KeyFile},
		Authorities: File{"tls-client-ca-file", s.ClientCAFile},
	}
}

// ServerConfig returns the TLS configuration of a listener with these protocols (ALPN).
// It keeps Go's defaults, and TLS 1.2 as the lowest version.
func (s *Settings) ServerConfig(m *Material, protocols ...string) *tls.Config {
	config := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{*m.Certificate}, NextProtos: protocols}
	if m.Authorities != nil {
		config.ClientCAs, config.ClientAuth = m.Authorities, tls.RequireAndVerifyClientCert
		if s.ClientAuth == ClientOptional {
			config.ClientAuth = tls.VerifyClientCertIfGiven
		}
	}
	return config
}

// Validate adds a problem for each invalid setting. An expired certificate is not a
// problem: the server uses it and reports that it has expired.
func (s *Settings) Validate(p *setting.Problems) {
	switch {
	case s.CertFile != "" && s.KeyFile == "":
		p.Addf("tls-key-file", "is missing: --tls-cert-file needs its key")
	case s.CertFile == "" && s.KeyFile != "":
		p.Addf("tls-cert-file", "is missing: --tls-key-file is the key of a certificate")
	case s.CertFile == "" && s.ClientCAFile != "":
		p.Addf("tls-client-ca-file", "needs --tls-cert-file: only over TLS does a caller show a certificate")
	case s.CertFile == "" && s.Admin:
		p.Addf("admin-tls", "needs --tls-cert-file")
	case s.CertFile != "":
		Problem(p, s.Files())
	}
	switch {
	case s.ClientAuth != ClientRequired && s.ClientAuth != ClientOptional:
		p.Addf("tls-client-auth", "must be require or optional")
	case s.ClientAuth == ClientOptional && s.ClientCAFile == "":
		p.Addf("tls-client-auth", "is optional, which means nothing without --tls-client-ca-file")
	}
	if s.Reload < leastReload {
		p.Addf("tls-reload-interval", "must be %v or more", leastReload)
	}
	p.NotTooLong("tls-reload-interval", s.Reload)
}

// Problem adds a problem if the files cannot be used.
func Problem(p *setting.Problems, f Files) {
	if _, err := f.Load(); err != nil {
		if e, ok := errors.AsType[*FileError](err); ok {
			p.Addf(e.Flag, "%v", e.Err)
		}
	}
}
