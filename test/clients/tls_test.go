package clients

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/digate/digate/server/certs/authority"
)

// secured is what a server has of TLS, and its clients.
type secured struct {
	// flags are those of the server's certificate.
	flags []string
	// authorities is the file with the authority that issues the certificates of the
	// server and of callers.
	authorities string
	own         *authority.Authority
}

func newSecured(t *testing.T) *secured {
	t.Helper()
	own, err := authority.New("authority of the clients' tests")
	must(t, err)
	cert, key, err := own.Issue(authority.Request{Names: []string{"127.0.0.1"}})
	must(t, err)
	dir := t.TempDir()
	write := func(name string, text []byte) string {
		path := filepath.Join(dir, name)
		must(t, os.WriteFile(path, text, 0o600))
		return path
	}
	return &secured{
		flags:       []string{"--tls-cert-file", write("tls.crt", cert), "--tls-key-file", write("tls.key", key)},
		authorities: write("ca.pem", own.PEM()), own: own,
	}
}

// client returns the TLS of a client, with a certificate if there are names.
func (s *secured) client(t *testing.T, names ...string) *tlsPlan {
	t.Helper()
	p := &tlsPlan{Authorities: string(s.own.PEM())}
	if len(names) > 0 {
		cert, key, err := s.own.Issue(authority.Request{Names: names})
		must(t, err)
		p.Certificate, p.Key = string(cert), string(key)
	}
	return p
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TLS changes nothing of a call. A client that does not trust the server's authority
// sends it nothing.
func TestTLS_CallStreamAndFailure_AreAsWithoutIt(t *testing.T) {
	each(t, nil, func(t *testing.T, c client) {
		up := newUpstream(t, func(w http.ResponseWriter, _ *http.Request, _ int) { integration(w, "d") })
		s := newSecured(t)
		d := serve(t, up.URL, s.flags...)
		wrong := copyOf()
		wrong.TemplateId = "x"
		calls := []call{newCall(t, "CopyTemplate", copyOf()), bulk(t, 3), newCall(t, "CopyTemplate", wrong)}
		ends := c.calls(t, plan{Address: d.GRPC, TLS: s.client(t), Calls: calls})
		if got := copied(t, ends[0]); got.GetDescription() != "d" {
			t.Errorf("the copy is %v", got)
		}
		if e := ends[1]; e.Code != "OK" || len(e.Responses) != 4 {
			t.Errorf("the stream ended with %+v", e)
		}
		if e := ends[2]; e.Code != "INVALID_ARGUMENT" || e.Info["outcome"] != "NOT_SENT" || !slices.Equal(e.Violations, []string{"template_id"}) {
			t.Errorf("the failure is %+v", e)
		}
		before := up.requests.Load()
		stranger := c.calls(t, plan{Address: d.GRPC, TLS: newSecured(t).client(t), Calls: calls[:1]})[0]
		// A failure before there is a connection is the library's own.
		if stranger.Code == "OK" || stranger.Reason != "" || up.requests.Load() != before {
			t.Errorf("with another authority: %+v", stranger)
		}
	})
}

// A client is known by its certificate, and without one gets no connection.
func TestTLS_ClientCertificate_SaysWhoCalls(t *testing.T) {
	each(t, nil, func(t *testing.T, c client) {
		var (
			mu     sync.Mutex
			tokens []string
		)
		up := newUpstream(t, func(w http.ResponseWriter, r *http.Request, _ int) {
			mu.Lock()
			tokens = append(tokens, r.Header.Get("Authorization"))
			mu.Unlock()
			integration(w, "d")
		})
		s := newSecured(t)
		dir := t.TempDir()
		accounts, key := filepath.Join(dir, "accounts.yaml"), filepath.Join(dir, "key")
		must(t, os.WriteFile(key, []byte("sk-acme\n"), 0o600))
		must(t, os.WriteFile(accounts, fmt.Appendf(nil, `accounts: {acme: {token: "file://%s"}}
callers: {billing: {identities: [{dns: billing.example}], allow: [{accounts: [acme], methods: ["*"]}]}}
`, key), 0o600))
		d := serve(t, up.URL, append(s.flags, "--tls-client-ca-file", s.authorities, "--accounts-file", accounts)...)
		calls := []call{newCall(t, "CopyTemplate", copyOf())}
		copied(t, c.calls(t, plan{Address: d.GRPC, TLS: s.client(t, "billing.example"), Calls: calls})[0])
		if e := c.calls(t, plan{Address: d.GRPC, TLS: s.client(t, "other.example"), Calls: calls})[0]; e.Code != "UNAUTHENTICATED" || e.Reason != "INVALID_CREDENTIAL" {
			t.Errorf("with the certificate of nobody: %+v", e)
		}
		if e := c.calls(t, plan{Address: d.GRPC, TLS: s.client(t), Calls: calls})[0]; e.Code == "OK" || e.Reason != "" {
			t.Errorf("without a certificate: %+v", e)
		}
		mu.Lock()
		defer mu.Unlock()
		if !slices.Equal(tokens, []string{"Bearer sk-acme"}) {
			t.Errorf("Diga was called with %q", tokens)
		}
	})
}
