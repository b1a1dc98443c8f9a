package service_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/MicahParks/jwkset"
	lib "github.com/golang-jwt/jwt/v5"

	"github.com/digate/digate/server/accounts"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/authn"
	"github.com/digate/digate/server/authn/service"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// idp is an issuer of tokens with a file of keys.
type idp struct {
	t       *testing.T
	private ed25519.PrivateKey
	path    string
}

func newIDP(t *testing.T) *idp {
	t.Helper()
	i := &idp{t: t, path: filepath.Join(t.TempDir(), "jwks.json")}
	i.rotate()
	return i
}

// rotate gives the issuer another key with the same name.
func (i *idp) rotate() {
	i.t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	must(i.t, err)
	i.private = private
	k, err := jwkset.NewJWKFromKey(public, jwkset.JWKOptions{Metadata: jwkset.JWKMetadataOptions{KID: "k"}})
	must(i.t, err)
	text, err := json.Marshal(jwkset.JWKSMarshal{Keys: []jwkset.JWKMarshal{k.Marshal()}})
	must(i.t, err)
	must(i.t, os.WriteFile(i.path, text, 0o600))
}

func (i *idp) token(claims lib.MapClaims) string {
	i.t.Helper()
	all := lib.MapClaims{"iss": "https://idp.example", "aud": "digate", "exp": time.Now().Add(time.Hour).Unix()}
	maps.Copy(all, claims)
	token := lib.NewWithClaims(lib.SigningMethodEdDSA, all)
	token.Header["kid"] = "k"
	text, err := token.SignedString(i.private)
	must(i.t, err)
	return "Bearer " + text
}

const file = `accounts:
  acme: {token: "env://DIGATE_TEST_ACME"}
  globex: {token: "env://DIGATE_TEST_GLOBEX"}
ISSUERS
callers:
  billing:
    identities:
      - dns: billing.example
      - token: {issuer: corp, sub: billing}
    allow: [{accounts: [acme], methods: ["*"]}]
  ops:
    identities:
      - uri: spiffe://example/ops
      - token: {issuer: corp, groups: operators}
    allow: [{accounts: ["*"], methods: ["*"]}]
  nobody:
    identities: [{dns: both.example}, {token: {issuer: corp, sub: both}}]
    allow: [{accounts: [acme], methods: ["*"]}]
`

const issuers = `issuers:
  corp: {issuer: "https://idp.example", audience: digate, keys: "file://KEYS", algorithms: [EdDSA]}
`

func parse(t *testing.T, text string) *accounts.Set {
	t.Helper()
	set, err := accounts.Parse([]byte(text))
	must(t, err)
	must(t, set.ReadTokens(nil))
	return set
}

func withoutIssuers() string {
	text := strings.Replace(file, "ISSUERS\n", "", 1)
	var kept []string
	for line := range strings.Lines(text) {
		if !strings.Contains(line, "- token") {
			kept = append(kept, line)
		}
	}
	return strings.ReplaceAll(strings.Join(kept, ""), ", {token: {issuer: corp, sub: both}}", "")
}

func withIssuers(keys string) string {
	return strings.Replace(file, "ISSUERS\n", strings.Replace(issuers, "KEYS", keys, 1), 1)
}

func newAuthenticator(t *testing.T, text string) *service.Authenticator {
	t.Helper()
	t.Setenv("DIGATE_TEST_ACME", "sk-acme")
	t.Setenv("DIGATE_TEST_GLOBEX", "sk-globex")
	a, err := service.New(t.Context(), parse(t, text), func(name string) string { return fmt.Sprintf("id of %q", name) }, nil)
	must(t, err)
	t.Cleanup(func() { must(t, a.Close()) })
	return a
}

func certificate(dns ...string) *tls.ConnectionState {
	leaf := &x509.Certificate{DNSNames: dns, NotAfter: time.Now().Add(time.Hour)}
	return &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{leaf}}}
}

// summary describes the result of an authentication.
func summary(p *authn.Principal, err error) string {
	if err != nil {
		e := apierror.FromError(err)
		return fmt.Sprintf("%s %s: %s", e.Code, e.Reason, e.Message)
	}
	n := p.Named()
	return fmt.Sprintf("%s in %s with %s", n.Caller, n.Account, p.Token().Reveal())
}

func TestAuthenticate_CallerAndAccount_AreThoseOfTheFile(t *testing.T) {
	i := newIDP(t)
	a := newAuthenticator(t, withIssuers(i.path))
	billing := i.token(lib.MapClaims{"sub": "billing"})
	ops := i.token(lib.MapClaims{"sub": "x", "groups": []string{"operators"}})
	const ask = "InvalidArgument ACCOUNT_REQUIRED: name an account in the metadata digate-account, in REST the header Digate-Account: acme, globex"
	for name, c := range map[string]struct {
		request authn.Request
		want    string
	}{
		"a token":                           {authn.Request{Authorization: []string{billing}}, "billing in acme with sk-acme"},
		"a token, again":                    {authn.Request{Authorization: []string{billing}}, "billing in acme with sk-acme"},
		"the only account, by name":         {authn.Request{Authorization: []string{billing}, Account: []string{"acme"}}, "billing in acme with sk-acme"},
		"another's account":                 {authn.Request{Authorization: []string{billing}, Account: []string{"globex"}}, "PermissionDenied NOT_ALLOWED: the caller may not use this account; it may use acme"},
		"no account of anybody":             {authn.Request{Authorization: []string{billing}, Account: []string{"initech"}}, "PermissionDenied NOT_ALLOWED: the caller may not use this account; it may use acme"},
		"an empty name":                     {authn.Request{Authorization: []string{billing}, Account: []string{""}}, "PermissionDenied NOT_ALLOWED: the caller may not use this account; it may use acme"},
		"a certificate":                     {authn.Request{TLS: certificate("billing.example")}, "billing in acme with sk-acme"},
		"a certificate and a token":         {authn.Request{TLS: certificate("billing.example"), Authorization: []string{ops}, Account: []string{"globex"}}, "ops in globex with sk-globex"},
		"a certificate and a bad token":     {authn.Request{TLS: certificate("billing.example"), Authorization: []string{"Bearer x"}}, "Unauthenticated INVALID_CREDENTIAL: the token is not a signed JWT"},
		"a certificate and a bad header":    {authn.Request{TLS: certificate("billing.example"), Authorization: []string{"Basic x"}}, "Unauthenticated MISSING_CREDENTIAL: the authorization header is not of the form: Bearer TOKEN"},
		"several accounts, and none named":  {authn.Request{Authorization: []string{ops}}, ask},
		"several accounts, and two named":   {authn.Request{Authorization: []string{ops}, Account: []string{"acme", "globex"}}, "InvalidArgument ACCOUNT_REQUIRED: the metadata digate-account is there 2 times"},
		"several accounts, and one named":   {authn.Request{Authorization: []string{ops}, Account: []string{"globex"}}, "ops in globex with sk-globex"},
		"several accounts, and none needed": {authn.Request{Authorization: []string{ops}, AboutDigate: true}, "ops in  with "},
		"a token of nobody":                 {authn.Request{Authorization: []string{i.token(lib.MapClaims{"sub": "x"})}}, "Unauthenticated INVALID_CREDENTIAL: the credential is valid, and belongs to no caller that is known here"},
		"a token of two":                    {authn.Request{Authorization: []string{i.token(lib.MapClaims{"sub": "both", "groups": "operators"})}}, "Unauthenticated INVALID_CREDENTIAL: the credential belongs to more than one caller that is known here"},
		"an expired token":                  {authn.Request{Authorization: []string{i.token(lib.MapClaims{"sub": "billing", "exp": 1})}}, "Unauthenticated INVALID_CREDENTIAL: the token is expired"},
		"the token of an account":           {authn.Request{Authorization: []string{"Bearer sk-acme"}}, "Unauthenticated INVALID_CREDENTIAL: the token is not a signed JWT"},
		"a certificate of nobody":           {authn.Request{TLS: certificate("x.example")}, "Unauthenticated INVALID_CREDENTIAL: the credential is valid, and belongs to no caller that is known here"},
		"a certificate of two":              {authn.Request{TLS: certificate("billing.example", "both.example")}, "Unauthenticated INVALID_CREDENTIAL: the credential belongs to more than one caller that is known here"},
		"nothing":                           {authn.Request{}, "Unauthenticated MISSING_CREDENTIAL: the authorization header is missing; it must be: Bearer TOKEN"},
		"TLS without a certificate":         {authn.Request{TLS: &tls.ConnectionState{}}, "Unauthenticated MISSING_CREDENTIAL: a token is missing (authorization: Bearer TOKEN), or a client certificate"},
	} {
		if got := summary(a.Authenticate(t.Context(), c.request)); got != c.want {
			t.Errorf("%s: got  %s\nwant %s", name, got, c.want)
		}
	}
}

func TestAuthenticate_FileWithoutIssuers_TakesNoToken(t *testing.T) {
	i := newIDP(t)
	a := newAuthenticator(t, withoutIssuers())
	token := []string{i.token(lib.MapClaims{"sub": "billing"})}
	for want, r := range map[string]authn.Request{
		"Unauthenticated MISSING_CREDENTIAL: a client certificate is missing": {Authorization: token},
		"billing in acme with sk-acme":                                        {Authorization: token, TLS: certificate("billing.example")},
	} {
		if got := summary(a.Authenticate(t.Context(), r)); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// What a caller's records are kept under changes with neither token.
func TestAuthenticate_TokensRotate_IdentityStays(t *testing.T) {
	i := newIDP(t)
	text := withIssuers(i.path)
	a := newAuthenticator(t, text)
	seen := make(map[string]bool)
	for _, r := range []authn.Request{
		{Authorization: []string{i.token(lib.MapClaims{"sub": "billing"})}},
		{Authorization: []string{i.token(lib.MapClaims{"sub": "billing", "jti": "2"})}},
		{TLS: certificate("billing.example")},
	} {
		p, err := a.Authenticate(t.Context(), r)
		must(t, err)
		seen[p.ID()+" "+p.Account()+" "+p.Key()] = true
	}
	t.Setenv("DIGATE_TEST_ACME", "sk-acme-2")
	must(t, a.Update(t.Context(), parse(t, text)))
	p, err := a.Authenticate(t.Context(), authn.Request{TLS: certificate("billing.example")})
	must(t, err)
	seen[p.ID()+" "+p.Account()+" "+p.Key()] = true
	if len(seen) != 1 || p.Token().Reveal() != "sk-acme-2" {
		t.Errorf("got %v, token %s", seen, p.Token().Reveal())
	}
	other, err := a.Authenticate(t.Context(), authn.Request{Authorization: []string{i.token(lib.MapClaims{"groups": "operators"})}, Account: []string{"acme"}})
	must(t, err)
	if other.ID() == p.ID() || other.Account() != p.Account() || other.Key() == p.Key() {
		t.Errorf("two callers of an account: %q, %q", other.ID(), p.ID())
	}
}

// A principal that was made before a token was rotated has the new one.
func TestPrincipal_TokenOfTheAccountIsReadAnew_IsTheNewOne(t *testing.T) {
	a := newAuthenticator(t, withoutIssuers())
	t.Setenv("DIGATE_TEST_ACME", "sk-1")
	set := parse(t, withoutIssuers())
	must(t, a.Update(t.Context(), set))
	p, err := a.Authenticate(t.Context(), authn.Request{TLS: certificate("billing.example")})
	must(t, err)
	t.Setenv("DIGATE_TEST_ACME", "sk-2")
	_, err = set.Account("acme").Token.Read()
	must(t, err)
	if got := p.Token().Reveal(); got != "sk-2" {
		t.Errorf("got %s", got)
	}
}

// A token that was verified once is looked up: nothing may make the look-up say yes to
// what would be refused now.
func TestAuthenticate_TokenWasVerifiedBefore_IsRefusedOnceItNoLongerHolds(t *testing.T) {
	i := newIDP(t)
	text := withIssuers(i.path)
	a := newAuthenticator(t, text)
	token := authn.Request{Authorization: []string{i.token(lib.MapClaims{"sub": "billing"})}}
	if got := summary(a.Authenticate(t.Context(), token)); got != "billing in acme with sk-acme" {
		t.Fatal(got)
	}
	for _, step := range []struct {
		name   string
		change func()
		want   string
	}{
		{"the caller is gone", func() {
			must(t, a.Update(t.Context(), parse(t, strings.Replace(text, "sub: billing", "sub: other", 1))))
		}, "Unauthenticated INVALID_CREDENTIAL: the credential is valid, and belongs to no caller that is known here"},
		{"the caller is back", func() { must(t, a.Update(t.Context(), parse(t, text))) }, "billing in acme with sk-acme"},
		{"the issuer has another audience", func() {
			must(t, a.Update(t.Context(), parse(t, strings.Replace(text, "audience: digate", "audience: x", 1))))
		}, "Unauthenticated INVALID_CREDENTIAL: the token is not for this server: its audience is another"},
		{"the issuer is back", func() { must(t, a.Update(t.Context(), parse(t, text))) }, "billing in acme with sk-acme"},
		{"the issuer has another key", func() {
			i.rotate()
			must(t, a.Update(t.Context(), parse(t, strings.Replace(text, "algorithms: [EdDSA]", "algorithms: [EdDSA, ES256]", 1)))) // reads the keys
		}, "Unauthenticated INVALID_CREDENTIAL: the token's signature is not one of its issuer's"},
	} {
		step.change()
		for range 2 {
			if got := summary(a.Authenticate(t.Context(), token)); got != step.want {
				t.Errorf("%s: got %s, want %s", step.name, got, step.want)
			}
		}
	}
}

func TestAuthenticate_TokenEnds_IsRefusedThoughItWasVerifiedBefore(t *testing.T) {
	i := newIDP(t)
	t.Setenv("DIGATE_TEST_ACME", "sk-acme")
	t.Setenv("DIGATE_TEST_GLOBEX", "sk-globex")
	set := parse(t, withIssuers(i.path))
	synctest.Test(t, func(t *testing.T) {
		a, err := service.New(t.Context(), set, func(name string) string { return name }, nil)
		must(t, err)
		defer func() { must(t, a.Close()) }()
		request := authn.Request{Authorization: []string{i.token(lib.MapClaims{"sub": "billing", "exp": time.Now().Add(time.Minute).Unix()})}}
		_, err = a.Authenticate(t.Context(), request)
		must(t, err)
		time.Sleep(time.Minute + accounts.DefaultLeeway + time.Second)
		if got := summary(a.Authenticate(t.Context(), request)); got != "Unauthenticated INVALID_CREDENTIAL: the token is expired" {
			t.Error(got)
		}
	})
}

// A stream outlives a version of the file. Its credential may be another caller's by then.
func TestCheck_CredentialBelongsToAnotherCaller_IsExpired(t *testing.T) {
	a := newAuthenticator(t, withoutIssuers())
	p, err := a.Authenticate(t.Context(), authn.Request{TLS: certificate("billing.example")})
	must(t, err)
	tie := p.Named().Ownership
	for _, step := range []struct {
		name, old, now string
		holds          bool
	}{
		{"another version says the same", "", "", true},
		{"another caller has it", "  billing:\n", "  invoices:\n", false},
		{"nobody has it", "billing.example", "other.example", false},
		{"its caller has it again", "", "", true},
	} {
		must(t, a.Update(t.Context(), parse(t, strings.Replace(withoutIssuers(), step.old, step.now, 1))))
		err := tie.Check()
		if (err == nil) != step.holds || err != nil && apierror.FromError(err).Reason != apierror.FromError(apierror.CredentialExpired()).Reason {
			t.Errorf("%s: %v", step.name, err)
		}
	}
}

func TestAuthenticate_KeysOfTheIssuerAreAway_IsNoVerdictOnTheToken(t *testing.T) {
	i := newIDP(t)
	a := newAuthenticator(t, withIssuers("/nonexistent"))
	got := summary(a.Authenticate(t.Context(), authn.Request{Authorization: []string{i.token(lib.MapClaims{"sub": "billing"})}}))
	if !strings.HasPrefix(got, "Unavailable AUTHENTICATION_UNAVAILABLE: ") || len(a.Failing()) != 1 {
		t.Errorf("got %s, failing %v", got, a.Failing())
	}
}

// A new version of the file reads the keys of all its issuers. Those of one that is away
// at that time stay.
func TestUpdate_IssuerIsAway_ItsCallersGoOn(t *testing.T) {
	i := newIDP(t)
	text := withIssuers(i.path)
	a := newAuthenticator(t, text)
	must(t, os.Remove(i.path))
	must(t, a.Update(t.Context(), parse(t, strings.Replace(text, "algorithms: [EdDSA]", "algorithms: [EdDSA, ES256]", 1))))
	if _, err := a.Authenticate(t.Context(), authn.Request{Authorization: []string{i.token(lib.MapClaims{"sub": "billing"})}}); err != nil {
		t.Errorf("got %v", err)
	}
}
