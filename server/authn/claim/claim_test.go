package claim_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/MicahParks/jwkset"
	lib "github.com/golang-jwt/jwt/v5"

	"github.com/digate/digate/server/accounts"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/authn"
	"github.com/digate/digate/server/authn/claim"
	"github.com/digate/digate/server/setting"
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
	public, private, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	k, err := jwkset.NewJWKFromKey(public, jwkset.JWKOptions{Metadata: jwkset.JWKMetadataOptions{KID: "k"}})
	must(t, err)
	text, err := json.Marshal(jwkset.JWKSMarshal{Keys: []jwkset.JWKMarshal{k.Marshal()}})
	must(t, err)
	i := &idp{t: t, private: private, path: filepath.Join(t.TempDir(), "jwks.json")}
	must(t, os.WriteFile(i.path, text, 0o600))
	return i
}

func (i *idp) token(claims lib.MapClaims) string {
	i.t.Helper()
	all := lib.MapClaims{"iss": "https://idp.example", "aud": "diga", "exp": time.Now().Add(time.Hour).Unix()}
	maps.Copy(all, claims)
	token := lib.NewWithClaims(lib.SigningMethodEdDSA, all)
	token.Header["kid"] = "k"
	text, err := token.SignedString(i.private)
	must(i.t, err)
	return text
}

func (i *idp) settings() claim.Settings {
	return claim.Settings{Claim: "sub", Issuer: "https://idp.example", Audience: "diga", Keys: "file://" + i.path, Algorithms: "ES256, EdDSA"}
}

func newAuthenticator(t *testing.T, s claim.Settings) *claim.Authenticator {
	t.Helper()
	var p setting.Problems
	s.Validate(&p)
	must(t, p.Err())
	a, err := claim.New(t.Context(), s, func(name string) string { return fmt.Sprintf("id of %q", name) }, nil)
	must(t, err)
	t.Cleanup(func() { must(t, a.Close()) })
	return a
}

// A caller keeps its identity, its share and its limits, whatever token it has, and Diga
// gets the token of the call.
func TestAuthenticate_TokenIsRotated_CallerStaysAndTheNewTokenGoesUpstream(t *testing.T) {
	t.Parallel()
	i := newIDP(t)
	a := newAuthenticator(t, i.settings())
	seen := make(map[string]bool)
	for n := range 3 {
		text := i.token(lib.MapClaims{"sub": "billing", "jti": strconv.Itoa(n)})
		for range 2 { // verified, and looked up
			p, err := a.Authenticate(t.Context(), authn.Request{Authorization: []string{"Bearer " + text}})
			must(t, err)
			if p.Token().Reveal() != text || p.Named() != nil || !p.Claimed() {
				t.Errorf("token %d: %v", n, p)
			}
			seen[p.ID()+" "+p.Account()+" "+p.Key()] = true
		}
	}
	const name = "digate claim\x00https://idp.example\x00sub\x00billing"
	if want := fmt.Sprintf("id of %q", name) + " " + name + " " + name; len(seen) != 1 || !seen[want] {
		t.Errorf("got %v", seen)
	}
	other, err := a.Authenticate(t.Context(), authn.Request{Authorization: []string{"Bearer " + i.token(lib.MapClaims{"sub": "shop"})}})
	must(t, err)
	if other.Key() == name || other.Account() == name {
		t.Error("two callers are one")
	}
}

func TestAuthenticate_TokenThatDoesNotProveItsCaller_IsRefused(t *testing.T) {
	t.Parallel()
	i, stranger := newIDP(t), newIDP(t)
	a := newAuthenticator(t, i.settings())
	for name, c := range map[string]struct {
		authorization []string
		want          string
	}{
		"no JWT":            {[]string{"Bearer sk-1"}, "INVALID_CREDENTIAL: the token is not a signed JWT"},
		"another signature": {[]string{"Bearer " + stranger.token(lib.MapClaims{"sub": "billing"})}, "INVALID_CREDENTIAL: the token's signature is not one of its issuer's"},
		"another issuer":    {[]string{"Bearer " + i.token(lib.MapClaims{"sub": "billing", "iss": "https://other.example"})}, "INVALID_CREDENTIAL: the token's issuer is not known"},
		"another audience":  {[]string{"Bearer " + i.token(lib.MapClaims{"sub": "billing", "aud": "x"})}, "INVALID_CREDENTIAL: the token is not for this server"},
		"expired":           {[]string{"Bearer " + i.token(lib.MapClaims{"sub": "billing", "exp": 1})}, "INVALID_CREDENTIAL: the token is expired"},
		"no claim":          {[]string{"Bearer " + i.token(nil)}, "INVALID_CREDENTIAL: the token has no text in the claim sub"},
		"an empty claim":    {[]string{"Bearer " + i.token(lib.MapClaims{"sub": ""})}, "INVALID_CREDENTIAL: the token has no text in the claim sub"},
		"a number":          {[]string{"Bearer " + i.token(lib.MapClaims{"sub": 7})}, "INVALID_CREDENTIAL: "},
		"a list":            {[]string{"Bearer " + i.token(lib.MapClaims{"sub": []string{"billing"}})}, "INVALID_CREDENTIAL: "},
		"nothing":           {nil, "MISSING_CREDENTIAL: the authorization header is missing"},
	} {
		for range 2 { // what was refused is not remembered as if it were not
			_, err := a.Authenticate(t.Context(), authn.Request{Authorization: c.authorization})
			e := apierror.FromError(err)
			if err == nil || e.Code.String() != "Unauthenticated" || !strings.HasPrefix(e.Reason+": "+e.Message, c.want) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// A token that was looked up is refused once it has ended.
func TestAuthenticate_VerifiedTokenEnds_IsRefused(t *testing.T) {
	t.Parallel()
	i := newIDP(t)
	synctest.Test(t, func(t *testing.T) {
		a := newAuthenticator(t, i.settings())
		request := authn.Request{Authorization: []string{"Bearer " + i.token(lib.MapClaims{"sub": "billing", "exp": time.Now().Add(time.Minute).Unix()})}}
		_, err := a.Authenticate(t.Context(), request)
		must(t, err)
		time.Sleep(time.Minute + accounts.DefaultLeeway + time.Second)
		if _, err := a.Authenticate(t.Context(), request); err == nil || !strings.Contains(apierror.FromError(err).Message, "expired") {
			t.Errorf("got %v", err)
		}
	})
}

func TestAuthenticate_KeysAreAway_IsNoVerdictOnTheToken(t *testing.T) {
	t.Parallel()
	i := newIDP(t)
	s := i.settings()
	s.Keys = "file:///nonexistent"
	a := newAuthenticator(t, s)
	_, err := a.Authenticate(t.Context(), authn.Request{Authorization: []string{"Bearer " + i.token(lib.MapClaims{"sub": "billing"})}})
	if e := apierror.FromError(err); e.Reason != apierror.ReasonAuthenticationUnavailable || len(a.Failing()) != 1 {
		t.Errorf("got %v, failing %v", err, a.Failing())
	}
}
