package doctor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/digate/digate/server/certs/authority"
	"github.com/digate/digate/server/certs/certstest"
	"github.com/digate/digate/server/config"
)

func TestCertificates_EachWeakness_IsNamed(t *testing.T) {
	t.Parallel()
	a, other := certstest.NewAuthority(t), certstest.NewAuthority(t)
	day := 24 * time.Hour
	now := time.Now()
	host := []string{"digate.example", "10.0.0.1"}
	for name, c := range map[string]struct {
		request authority.Request
		change  func(t *testing.T, cert, key string)
		result  string
		says    string
	}{
		"good":          {authority.Request{Names: host}, nil, resultOK, "--tls-cert-file: for digate.example, 10.0.0.1 until "},
		"ends soon":     {authority.Request{Names: host, NotAfter: now.Add(3*day + time.Hour)}, nil, resultWarn, "(3 days)|--tls-cert-file ends soon"},
		"ended":         {authority.Request{Names: host, NotBefore: now.Add(-2 * day), NotAfter: now.Add(-day)}, nil, resultFail, "--tls-cert-file: the certificate ended at "},
		"not yet valid": {authority.Request{Names: host, NotBefore: now.Add(day)}, nil, resultFail, "--tls-cert-file: the certificate is not valid before "},
		"no name":       {authority.Request{Names: []string{"spiffe://x/y"}}, nil, resultWarn, "--tls-cert-file has no name of a host"},
		"a chain":       {authority.Request{Names: host}, func(t *testing.T, cert, _ string) { follow(t, cert, a.PEM()) }, resultOK, "digate.example"},
		"another's chain": {authority.Request{Names: host}, func(t *testing.T, cert, _ string) { follow(t, cert, other.PEM()) },
			resultWarn, "what follows the first certificate in --tls-cert-file is not its chain in order"},
		"a key for everybody": {authority.Request{Names: host}, func(t *testing.T, _, key string) {
			if err := os.Chmod(key, 0o644); err != nil { //nolint:gosec // what is to be found
				t.Fatal(err)
			}
		}, resultWarn, "everybody on this machine can read --tls-key-file"},
		"a key of another": {authority.Request{Names: host}, func(t *testing.T, _, key string) {
			_, strange := a.Issue(t, authority.Request{})
			certstest.Write(t, key, strange)
		}, resultFail, "--tls-key-file: the key is not that of the first certificate"},
	} {
		cert, key := a.Issue(t, c.request)
		dir := t.TempDir()
		cfg := config.Defaults()
		cfg.TLS.CertFile, cfg.TLS.KeyFile = certstest.Write(t, filepath.Join(dir, "crt"), cert), certstest.Write(t, filepath.Join(dir, "key"), key)
		if c.change != nil {
			c.change(t, cfg.TLS.CertFile, cfg.TLS.KeyFile)
		}
		got := examineCertificates(&cfg)
		for says := range strings.SplitSeq(c.says, "|") {
			if got.Result != c.result || !strings.Contains(got.Found+got.Advice, says) {
				t.Errorf("%s: %+v, want %s %q", name, got, c.result, says)
			}
		}
	}
	cfg := config.Defaults()
	if got := examineCertificates(&cfg); got.Result != resultSkipped {
		t.Errorf("without files: %+v", got)
	}
	cfg.Upstream.ClientCertFile, cfg.Upstream.ClientKeyFile = a.Pair(t, t.TempDir(), "spiffe://x/y")
	if got := examineCertificates(&cfg); got.Result != resultOK || !strings.Contains(got.Found, "--upstream-client-cert-file") {
		t.Errorf("a certificate for Diga: %+v", got)
	}
}

// follow appends a certificate to a file.
func follow(t *testing.T, path string, cert []byte) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	certstest.Write(t, path, append(b, cert...))
}
