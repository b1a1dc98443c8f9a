package doctor

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/digate/digate/server/certs"
	"github.com/digate/digate/server/config"
)

// examineCertificates looks at the certificates that serve shows: to callers, and to
// Diga. That each can be read and has its key is a question of the settings.
func examineCertificates(cfg *config.Config) finding {
	var found, wrong, weak []string
	for _, side := range []struct {
		files  certs.Files
		server bool
	}{{cfg.TLS.Files(), true}, {cfg.Upstream.Files(), false}} {
		if side.files.Certificate.Path == "" {
			continue
		}
		m, err := side.files.Load()
		if err != nil {
			wrong = append(wrong, err.Error())
			continue
		}
		flag := "--" + side.files.Certificate.Flag
		leaf := m.Certificate.Leaf
		left := time.Until(leaf.NotAfter)
		found = append(found, fmt.Sprintf("%s: for %s until %s (%d days)", flag, some(certNames(leaf)), leaf.NotAfter.UTC().Format(time.DateOnly), int(left.Hours()/24)))
		if err := m.Validity(time.Now()); err != nil {
			wrong = append(wrong, flag+": "+err.Error())
		} else if left < renewBefore {
			weak = append(weak, flag+" ends soon")
		}
		if side.server && len(leaf.DNSNames)+len(leaf.IPAddresses) == 0 {
			weak = append(weak, flag+" has no name of a host (subject alternative name), and callers look for one")
		}
		if !chained(m.Certificate) {
			weak = append(weak, "what follows the first certificate in "+flag+" is not its chain in order")
		}
		if info, err := os.Stat(side.files.Key.Path); err == nil && info.Mode().Perm()&0o004 != 0 {
			weak = append(weak, "everybody on this machine can read --"+side.files.Key.Flag)
		}
	}
	switch all := strings.Join(found, "; "); {
	case wrong != nil:
		return failed(strings.Join(wrong, "; "), "replace these files; a server that runs takes the new ones by itself")
	case found == nil:
		return skipped("the listeners speak plain text, and Diga is shown no certificate")
	case weak != nil:
		return warn(all, strings.Join(weak, "; "))
	default:
		return ok("%s", all)
	}
}

// chained reports whether each certificate is signed by the one that follows.
func chained(c *tls.Certificate) bool {
	signed := c.Leaf
	for _, der := range c.Certificate[1:] {
		by, err := x509.ParseCertificate(der)
		if err != nil || signed.CheckSignatureFrom(by) != nil {
			return false
		}
		signed = by
	}
	return true
}
