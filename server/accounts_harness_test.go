package server_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/golang-jwt/jwt/v5"
	"google.golang.org/grpc/metadata"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/config"
)

// issuer makes tokens of callers. Its keys are in a file.
type issuer struct {
	t       *testing.T
	private ed25519.PrivateKey
	keys    string // the file
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	k, err := jwkset.NewJWKFromKey(public, jwkset.JWKOptions{Metadata: jwkset.JWKMetadataOptions{KID: "k"}})
	must(t, err)
	text, err := json.Marshal(jwkset.JWKSMarshal{Keys: []jwkset.JWKMarshal{k.Marshal()}})
	must(t, err)
	i := &issuer{t, private, filepath.Join(t.TempDir(), "jwks.json")}
	must(t, os.WriteFile(i.keys, text, 0o600))
	return i
}

// token returns the token of a subject, which ends when it is said to.
func (i *issuer) token(subject string, ends time.Time, claims ...jwt.MapClaims) string {
	i.t.Helper()
	all := jwt.MapClaims{"iss": "https://idp.example", "aud": "digate", "sub": subject, "exp": ends.Unix()}
	for _, c := range claims {
		maps.Copy(all, c)
	}
	t := jwt.NewWithClaims(jwt.SigningMethodEdDSA, all)
	t.Header["kid"] = "k"
	text, err := t.SignedString(i.private)
	must(i.t, err)
	return text
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// accountTemplate is the template that the file of accounts lets a caller copy.
const accountTemplate = "3c90c3cc-0d44-4b50-8888-8dd25736052a"

// accountsFile is the file of the tests. %[1]s is the file of the issuer's
// keys, and %[2]s the directory of tokens.
const accountsFile = `accounts:
  acme: {token: "file://%[2]s/acme"}
  globex: {token: "file://%[2]s/globex"}
  quota: {token: "file://%[2]s/quota", copies_per_day: 2}
issuers:
  corp: {issuer: "https://idp.example", audience: digate, keys: "file://%[1]s", algorithms: [EdDSA], leeway: 0s}
callers:
  billing:
    identities: [{token: {issuer: corp, sub: billing}}]
    allow:
      - accounts: [acme]
        methods: [CopyTemplate, BulkCopyTemplate, "List*", GetCopy]
        templates: [` + accountTemplate + `]
  ops:
    identities: [{token: {issuer: corp, sub: ops}}]
    allow: [{accounts: ["*"], methods: ["*"]}]
  slow:
    identities: [{token: {issuer: corp, sub: slow}}]
    requests_per_second: 0.1
    allow: [{accounts: [acme], methods: ["*"]}]
`

// withAccounts is a server with a file of accounts, and what it needs.
type withAccounts struct {
	*digate

	issuer *issuer
	diga   *keyedUpstream
	dir    string // of the tokens and the file
}

// keyedUpstream is an upstream that remembers with which tokens it was called.
type keyedUpstream struct {
	*httptest.Server

	mu     sync.Mutex
	tokens []string
	limit  string // the token whose calls it refuses with 429
}

func newKeyedUpstream(t *testing.T) *keyedUpstream {
	t.Helper()
	u := new(keyedUpstream)
	u.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		u.mu.Lock()
		u.tokens = append(u.tokens, key)
		limited := key == u.limit
		u.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		switch {
		case limited:
			w.Header().Set("Retry-After", "30")
			w.WriteHeader(http.StatusTooManyRequests)
			_, _ = io.WriteString(w, `{"status":"error","error_code":"RATE_LIMITED","message":"slow down"}`)
		case r.Method == http.MethodPost:
			w.WriteHeader(http.StatusCreated)
			_, _ = io.WriteString(w, `{"id":"3c90c3cc-0d44-4b50-8888-8dd257360001","name":"n","base_url":"https://x","auth_type":"NONE","integration_type":"HTTP","created_at":"2026-01-01T00:00:00Z","updated_at":"2026-01-01T00:00:00Z"}`)
		default:
			_, _ = io.WriteString(w, `{"data":[],"has_more":false}`)
		}
	}))
	t.Cleanup(u.Close)
	return u
}

// took returns the tokens since it was last asked.
func (u *keyedUpstream) took() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	all := u.tokens
	u.tokens = nil
	return all
}

func accountToken(name string) string { return "sk-" + name + "-" + marker }

func startWithAccounts(t *testing.T, change ...func(*config.Config)) *withAccounts {
	t.Helper()
	w := newWithAccounts(t)
	w.digate = start(t, w.diga.URL, append([]func(*config.Config){w.use}, change...)...)
	return w
}

// newWithAccounts returns what a server with the file of accounts needs, and no server.
func newWithAccounts(t *testing.T) *withAccounts {
	t.Helper()
	w := &withAccounts{issuer: newIssuer(t), diga: newKeyedUpstream(t), dir: t.TempDir()}
	for _, name := range []string{"acme", "globex", "quota"} {
		w.setToken(t, name, accountToken(name))
	}
	w.setFile(t, accountsFile)
	return w
}

// use has a server use the file of accounts.
func (w *withAccounts) use(c *config.Config) { c.AccountsFile = w.file() }

func (w *withAccounts) file() string { return filepath.Join(w.dir, "accounts.yaml") }

// setFile writes the file of accounts, as one does who takes care.
func (w *withAccounts) setFile(t *testing.T, text string) {
	t.Helper()
	must(t, os.WriteFile(w.file()+"~", []byte(strings.NewReplacer("%[1]s", w.issuer.keys, "%[2]s", w.dir).Replace(text)), 0o600))
	must(t, os.Rename(w.file()+"~", w.file()))
}

func (w *withAccounts) setToken(t *testing.T, name, token string) {
	t.Helper()
	must(t, os.WriteFile(filepath.Join(w.dir, name), []byte(token+"\n"), 0o600))
}

// as returns the context of a caller's call in an account, which is that of the call
// if it is not named.
func (w *withAccounts) as(ctx context.Context, subject, account string) context.Context {
	ctx = withToken(ctx, w.issuer.token(subject, time.Now().Add(time.Hour)))
	if account != "" {
		ctx = withAccount(ctx, account)
	}
	return ctx
}

func withAccount(ctx context.Context, account string) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "digate-account", account)
}

// asREST returns the header of a caller's request in an account.
func (w *withAccounts) asREST(subject, account string) []string {
	return []string{"Authorization", "Bearer " + w.issuer.token(subject, time.Now().Add(time.Hour)), "Digate-Account", account}
}

// copyAs copies a template over gRPC.
func (w *withAccounts) copyAs(t *testing.T, subject, account, template, requestID string) *apierror.Error {
	t.Helper()
	_, e := w.copyCtx(w.as(t.Context(), subject, account), &integrationv1.CopyTemplateRequest{TemplateId: template, RequestId: requestID})
	return e
}
