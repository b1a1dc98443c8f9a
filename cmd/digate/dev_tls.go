package main

import (
	"errors"
	"net"
	"os"
	"path/filepath"

	"github.com/digate/digate/server/certs/authority"
	"github.com/digate/digate/server/config"
)

// devTLS is the certificate authority of dev --tls and the path of its file.
type devTLS struct{ dir, ca string }

// newDevTLS configures a server with a certificate of a new authority. The authority's
// key is not stored, so nobody else can get a certificate from it.
func newDevTLS(cfg *config.Config) (devTLS, error) {
	if cfg.TLS.Enabled() {
		return devTLS{}, errors.New("--tls: makes a certificate, and --tls-cert-file names another; leave one of them away")
	}
	names := []string{"localhost", "127.0.0.1", "::1"}
	for _, addr := range []string{cfg.GRPCAddr, cfg.HTTPAddr} {
		if host, _, err := net.SplitHostPort(addr); err == nil && host != "" {
			names = append(names, host)
		}
	}
	a, err := authority.New("digate dev")
	if err != nil {
		return devTLS{}, err
	}
	cert, key, err := a.Issue(authority.Request{Names: names})
	if err != nil {
		return devTLS{}, err
	}
	dir, err := os.MkdirTemp("", "digate-dev-")
	if err != nil {
		return devTLS{}, err
	}
	d := devTLS{dir, filepath.Join(dir, "ca.pem")}
	cfg.TLS.CertFile, cfg.TLS.KeyFile = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	for path, text := range map[string][]byte{d.ca: a.PEM(), cfg.TLS.CertFile: cert, cfg.TLS.KeyFile: key} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			d.remove()
			return devTLS{}, err
		}
	}
	return d, nil
}

func (d devTLS) remove() { _ = os.RemoveAll(d.dir) }
