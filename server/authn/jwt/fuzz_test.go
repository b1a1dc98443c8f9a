package jwt_test

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	lib "github.com/golang-jwt/jwt/v5"

	"github.com/digate/digate/server/accounts"
	"github.com/digate/digate/server/authn/jwt"
)

// FuzzVerify verifies any token. None is valid that the issuer did not sign.
func FuzzVerify(f *testing.F) {
	path := filepath.Join(f.TempDir(), "jwks.json")
	t := new(testing.T) // for what needs one and does not fail
	if err := os.WriteFile(path, []byte(wholeSet(t)), 0o600); err != nil {
		f.Fatal(err)
	}
	v, err := jwt.New(f.Context(), []*accounts.Issuer{corp("file://" + path)}, nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(v.Close)
	signed := make(map[string]bool)
	for _, change := range []func(map[string]any, lib.MapClaims){
		nil,
		func(h map[string]any, _ lib.MapClaims) { h["kid"] = []any{1} },
		func(_ map[string]any, c lib.MapClaims) { c["exp"], c["aud"] = "x", []any{"digate", 1} },
		func(_ map[string]any, c lib.MapClaims) { c["nbf"], c["iat"] = 1e300, -1 },
	} {
		text := sign(t, lib.SigningMethodRS256, keys.rsa, change)
		signed[text] = true
		f.Add(text)
		f.Add(text[:strings.LastIndex(text, ".")+1])
	}
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add(rand.Text() + ".." + rand.Text())
	f.Fuzz(func(t *testing.T, text string) {
		token, err := v.Verify(text)
		if (token == nil) == (err == nil) {
			t.Fatalf("got %v, %v", token, err)
		}
		if err == nil && !signed[text] {
			t.Errorf("%q is valid until %v", text, token.Expires)
		}
		if err != nil && len(text) > 20 && strings.Contains(err.Error(), text) {
			t.Errorf("the error quotes the token: %v", err)
		}
		if err == nil && token.Expires.Before(time.Now()) {
			t.Errorf("it is valid, and ended at %v", token.Expires)
		}
	})
}
