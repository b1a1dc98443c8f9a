package abuse

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const (
	issuerName = "https://idp.example"
	// sharedSecret is in a key set, where everybody can read it.
	sharedSecret = "a shared secret of thirty-two by"
)

// issuer makes tokens. Its server sends its keys once, and then something else.
type issuer struct {
	public   ed25519.PublicKey
	private  ed25519.PrivateKey
	url      string
	asked    atomic.Int64
	followed atomic.Bool // a redirect was

	mu   sync.Mutex
	made []string // tokens, which no log may have
}

// newIssuer returns an issuer whose server does what later does after it sent the keys.
func newIssuer(t *testing.T, later func(*issuer, http.ResponseWriter)) *issuer {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	i := &issuer{public: public, private: private}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/elsewhere":
			i.followed.Store(true)
		case i.asked.Add(1) == 1 || later == nil:
			i.send(w, "")
		default:
			later(i, w)
		}
	}))
	t.Cleanup(srv.Close)
	i.url = srv.URL + "/jwks"
	return i
}

// send sends the key set, with other keys before that of the issuer.
func (i *issuer) send(w http.ResponseWriter, others string) {
	_, _ = fmt.Fprintf(w, `{"keys": [%s{"kty":"OKP","crv":"Ed25519","kid":"k","x":%q}]}`, others, base64.RawURLEncoding.EncodeToString(i.public))
}

// endless sends a response without an end.
func endless(_ *issuer, w http.ResponseWriter) {
	for chunk := bytes.Repeat([]byte(" "), 64<<10); ; {
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
}

// elsewhere sends the reader to another path of the same loopback server.
func elsewhere(_ *issuer, w http.ResponseWriter) {
	w.Header().Set("Location", "/elsewhere")
	w.WriteHeader(http.StatusFound)
}

// confusing sends the issuer's key behind keys by which nobody may sign: a shared
// secret, and the issuer's key for an algorithm of shared secrets.
func confusing(i *issuer, w http.ResponseWriter) {
	encode := base64.RawURLEncoding.EncodeToString
	i.send(w, fmt.Sprintf(`{"kty":"oct","kid":"shared","k":%q},{"kty":"OKP","crv":"Ed25519","kid":"confused","alg":"HS256","x":%q},`,
		encode([]byte(sharedSecret)), encode(i.public)))
}

// claims are those of a caller's token, changed.
func claims(change jwt.MapClaims) jwt.MapClaims {
	all := jwt.MapClaims{"iss": issuerName, "aud": "digate", "sub": "billing", "exp": time.Now().Add(time.Hour).Unix()}
	maps.Copy(all, change)
	return all
}

// sign returns a token by a method and a key, with these claims above those of a caller.
func sign(method jwt.SigningMethod, key any, change jwt.MapClaims) string {
	return signAs("k", method, key, change)
}

// signAs is sign for a key with another name.
func signAs(id string, method jwt.SigningMethod, key any, change jwt.MapClaims) string {
	token := jwt.NewWithClaims(method, claims(change))
	token.Header["kid"] = id
	text, err := token.SignedString(key)
	if err != nil {
		panic(err)
	}
	return text
}

// forged returns tokens that prove nothing.
func (i *issuer) forged() []string {
	encode := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	ago, later := time.Now().Add(-time.Minute).Unix(), time.Now().Add(time.Hour).Unix()
	whole := sign(jwt.SigningMethodEdDSA, i.private, nil)
	header, signature := whole[:strings.IndexByte(whole, '.')], whole[strings.LastIndexByte(whole, '.')+1:]
	tokens := []string{
		sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil),
		sign(jwt.SigningMethodHS256, []byte(i.public), nil), // key confusion
		sign(jwt.SigningMethodEdDSA, i.private, jwt.MapClaims{"exp": ago}),
		sign(jwt.SigningMethodEdDSA, i.private, jwt.MapClaims{"nbf": later}),
		sign(jwt.SigningMethodEdDSA, i.private, jwt.MapClaims{"aud": strings.Split(strings.Repeat("x,", 500), ",")}),
		sign(jwt.SigningMethodEdDSA, i.private, jwt.MapClaims{"sub": strings.Repeat("x", 20<<10)}), // larger than a token may be
		header + "." + encode(strings.Repeat(`{"a":`, 1000)) + "." + signature,
		header + "." + encode(`{"iss":"`+issuerName+`","iss":"x","sub":"billing","sub":"admin"}`) + "." + signature,
	}
	i.keep(tokens...)
	return tokens
}

// confused returns tokens by the keys of confusing that prove nothing, and one by a key
// that no set has.
func (i *issuer) confused() []string {
	tokens := []string{
		signAs("shared", jwt.SigningMethodHS256, []byte(sharedSecret), nil),
		signAs("confused", jwt.SigningMethodHS256, []byte(i.public), nil),
		signAs("confused", jwt.SigningMethodEdDSA, i.private, nil), // whose key is for another algorithm
		signAs("made-up", jwt.SigningMethodEdDSA, i.private, nil),
	}
	i.keep(tokens...)
	return tokens
}

// keep has the log searched for these tokens.
func (i *issuer) keep(tokens ...string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.made = append(i.made, tokens...)
}

// kept returns the tokens that were made.
func (i *issuer) kept() []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Clone(i.made)
}
