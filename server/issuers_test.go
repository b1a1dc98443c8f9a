package server_test

import (
	"errors"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/config"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/test/await"
)

// Until the keys of its issuer were read once, the server has no verdict on any token:
// callers may come again, and balancers are told to go elsewhere.
func TestReadyz_KeysWereNeverRead_NotReadyAndNoVerdictOnTokens(t *testing.T) {
	t.Parallel()
	for name, newSettings := range map[string]func(t *testing.T, w *withAccounts) func(*config.Config){
		"accounts": func(_ *testing.T, w *withAccounts) func(*config.Config) { return w.use },
		"claim":    func(_ *testing.T, w *withAccounts) func(*config.Config) { return withClaim(w.issuer) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWithAccounts(t)
			must(t, os.Rename(w.issuer.keys, w.issuer.keys+".away"))
			w.digate = start(t, w.diga.URL, newSettings(t, w))
			if got := w.admin(t, "/readyz"); got.status != http.StatusServiceUnavailable || !strings.HasPrefix(got.body, "nobody can authenticate: the keys of these issuers were never read: ") {
				t.Errorf("readyz: %d %s", got.status, got.body)
			}
			token := w.issuer.token("billing", time.Now().Add(time.Hour))
			if _, e := w.copyCtx(withToken(t.Context(), token), &integrationv1.CopyTemplateRequest{TemplateId: accountTemplate}); e == nil || e.Code != codes.Unavailable || e.Outcome != exchange.NotSent || e.Reason != "AUTHENTICATION_UNAVAILABLE" || e.RetryAfter == nil {
				t.Errorf("gRPC: %v", e)
			}
			if r := w.copyREST(t, accountTemplate, "{}", "Authorization", "Bearer "+token); r.status != http.StatusServiceUnavailable || r.header.Get("Digate-Outcome") != "NOT_SENT" || r.header.Get("Retry-After") == "" {
				t.Errorf("REST: %d %v %s", r.status, r.header, r.body)
			}
			if metrics := w.scrape(t); !strings.Contains(metrics, "digate_issuer_keys_refused 1") {
				t.Error("the metrics do not tell of the keys")
			}
			log := w.log.String()
			if !strings.Contains(log, "until they are, nobody can authenticate with its tokens") || strings.Contains(log, "those before stay in force") {
				t.Errorf("the log is %s", log)
			}
			must(t, os.Rename(w.issuer.keys+".away", w.issuer.keys))
			must(t, await.Poll(await.Patience, nil, func() error {
				if got := w.admin(t, "/readyz"); got.status != http.StatusOK || got.body != "ok\n" {
					return errors.New(got.body)
				}
				return nil
			}))
			if _, e := w.copyCtx(withToken(t.Context(), token), &integrationv1.CopyTemplateRequest{TemplateId: accountTemplate}); e != nil {
				t.Errorf("with the keys: %v", e)
			}
		})
	}
}

// Callers who have certificates are served while an issuer of tokens is away.
func TestReadyz_KeysWereNeverReadAndCallersHaveCertificates_ReadyWithAWarning(t *testing.T) {
	t.Parallel()
	w := startWithCertificates(t, "issuers:\n  corp: {issuer: \"https://idp.example\", audience: digate, keys: \"file:///nonexistent/jwks.json\", algorithms: [EdDSA]}\n")
	got := send(t, suiteHTTP(t), http.MethodGet, "http://"+w.AdminAddr().String(), "/readyz", "")
	if got.status != http.StatusOK || got.body != "ok\nthe keys of these issuers were never read: corp\n" {
		t.Errorf("readyz: %d %q", got.status, got.body)
	}
}

// suiteHTTP returns a client for plain HTTP.
func suiteHTTP(t *testing.T) *http.Client {
	t.Helper()
	transport := new(http.Transport)
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}
