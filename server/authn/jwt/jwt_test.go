package jwt_test

import (
	"bytes"
	"compress/gzip"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/MicahParks/jwkset"
	lib "github.com/golang-jwt/jwt/v5"

	"github.com/digate/digate/server/accounts"
	"github.com/digate/digate/server/authn/jwt"
	"github.com/digate/digate/test/await"
)

// keys are the private keys of an issuer, made once: RSA takes its time.
var keys = struct {
	rsa, otherRSA *rsa.PrivateKey
	weak          *rsa.PrivateKey
	p256, p384    *ecdsa.PrivateKey
	ed            ed25519.PrivateKey
}{
	newRSA(2048), newRSA(2048), newRSA(1024), newEC(elliptic.P256()), newEC(elliptic.P384()), newEd(),
}

func newRSA(bits int) *rsa.PrivateKey {
	if bits < 2048 {
		_ = os.Setenv("GODEBUG", "rsa1024min=0")
	}
	k, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err)
	}
	return k
}

func newEC(c elliptic.Curve) *ecdsa.PrivateKey {
	k, err := ecdsa.GenerateKey(c, rand.Reader)
	if err != nil {
		panic(err)
	}
	return k
}

func newEd() ed25519.PrivateKey {
	_, k, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	return k
}

// jwk returns a key as an entry of a key set.
func jwk(t *testing.T, k any, id string, change ...func(map[string]any)) string {
	t.Helper()
	j, err := jwkset.NewJWKFromKey(k, jwkset.JWKOptions{Metadata: jwkset.JWKMetadataOptions{KID: id}, Marshal: jwkset.JWKMarshalOptions{Private: true}})
	must(t, err)
	text, err := json.Marshal(j.Marshal())
	must(t, err)
	var fields map[string]any
	must(t, json.Unmarshal(text, &fields))
	for _, c := range change {
		c(fields)
	}
	text, err = json.Marshal(fields)
	must(t, err)
	return string(text)
}

func set(entries ...string) string { return `{"keys": [` + strings.Join(entries, ",") + `]}` }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// sign returns a token. The header and the claims are what every test has, changed.
func sign(t *testing.T, method lib.SigningMethod, k any, change func(header map[string]any, claims lib.MapClaims)) string {
	t.Helper()
	token := lib.NewWithClaims(method, lib.MapClaims{
		"iss": "https://idp.example", "aud": "digate", "sub": "billing", "exp": time.Now().Add(time.Hour).Unix(),
	})
	token.Header["kid"] = "rsa"
	if change != nil {
		change(token.Header, token.Claims.(lib.MapClaims))
	}
	text, err := token.SignedString(k)
	must(t, err)
	return text
}

func keyFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "jwks.json")
	must(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func corp(keys string) *accounts.Issuer {
	return &accounts.Issuer{
		Name: "corp", Issuer: "https://idp.example", Audience: "digate", Keys: keys,
		Algorithms: []string{"RS256", "PS256", "ES256", "EdDSA"}, Leeway: 30 * time.Second,
	}
}

func newVerifier(t *testing.T, told func(string, error), issuers ...*accounts.Issuer) *jwt.Verifier {
	t.Helper()
	v, err := jwt.New(t.Context(), issuers, told)
	must(t, err)
	t.Cleanup(v.Close)
	return v
}

func wholeSet(t *testing.T) string {
	t.Helper()
	return set(
		jwk(t, keys.rsa.Public(), "rsa"), jwk(t, keys.otherRSA.Public(), "encryption", func(f map[string]any) { f["use"] = "enc" }),
		jwk(t, keys.otherRSA.Public(), "only-ps", func(f map[string]any) { f["alg"] = "PS256" }),
		jwk(t, keys.weak.Public(), "weak"), jwk(t, keys.p256.Public(), "p256"), jwk(t, keys.p384.Public(), "p384"), jwk(t, keys.ed.Public(), "ed"),
		jwk(t, []byte("a shared secret of thirty-two by"), "shared"), jwk(t, keys.otherRSA, "private"),
	)
}

func TestVerify_OnlyWhatItsIssuerSignedForThisServer_IsValid(t *testing.T) {
	t.Parallel()
	other := corp("file://" + keyFile(t, set(jwk(t, keys.otherRSA.Public(), "rsa"))))
	other.Name, other.Issuer, other.Algorithms = "other", "https://other.example", []string{"RS512"}
	v := newVerifier(t, nil, corp("file://"+keyFile(t, wholeSet(t))), other)
	der, err := x509.MarshalPKIXPublicKey(keys.rsa.Public())
	must(t, err)
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	kid := func(id any) func(map[string]any, lib.MapClaims) {
		return func(h map[string]any, _ lib.MapClaims) {
			if h["kid"] = id; id == nil {
				delete(h, "kid")
			}
		}
	}
	claim := func(name string, value any) func(map[string]any, lib.MapClaims) {
		return func(_ map[string]any, c lib.MapClaims) {
			if c[name] = value; value == nil {
				delete(c, name)
			}
		}
	}
	header := func(name string, value any) func(map[string]any, lib.MapClaims) {
		return func(h map[string]any, _ lib.MapClaims) { h[name] = value }
	}
	in := func(d time.Duration) int64 { return time.Now().Add(d).Unix() }
	good := sign(t, lib.SigningMethodRS256, keys.rsa, nil)
	parts := strings.Split(good, ".")
	for name, c := range map[string]struct {
		token string
		want  error
	}{
		"RS256":                         {good, nil},
		"PS256 with the same key":       {sign(t, lib.SigningMethodPS256, keys.rsa, nil), nil},
		"ES256":                         {sign(t, lib.SigningMethodES256, keys.p256, kid("p256")), nil},
		"EdDSA":                         {sign(t, lib.SigningMethodEdDSA, keys.ed, kid("ed")), nil},
		"no kid, and one key fits":      {sign(t, lib.SigningMethodEdDSA, keys.ed, kid(nil)), nil},
		"a list of audiences":           {sign(t, lib.SigningMethodRS256, keys.rsa, claim("aud", []string{"x", "digate"})), nil},
		"expired within the leeway":     {sign(t, lib.SigningMethodRS256, keys.rsa, claim("exp", in(-20*time.Second))), nil},
		"not yet, within the leeway":    {sign(t, lib.SigningMethodRS256, keys.rsa, claim("nbf", in(20*time.Second))), nil},
		"no kid, and two keys fit":      {sign(t, lib.SigningMethodPS256, keys.rsa, kid(nil)), jwt.ErrSignature},
		"a key of another kind":         {sign(t, lib.SigningMethodRS256, keys.rsa, kid("p256")), jwt.ErrSignature},
		"a key of another use":          {sign(t, lib.SigningMethodRS256, keys.otherRSA, kid("encryption")), jwt.ErrSignature},
		"a key for another algorithm":   {sign(t, lib.SigningMethodRS256, keys.otherRSA, kid("only-ps")), jwt.ErrSignature},
		"a weak key":                    {sign(t, lib.SigningMethodRS256, keys.weak, kid("weak")), jwt.ErrSignature},
		"a key that is published whole": {sign(t, lib.SigningMethodRS256, keys.otherRSA, kid("private")), nil}, // its public half is what counts
		"an unknown key":                {sign(t, lib.SigningMethodRS256, keys.rsa, kid("rsa2")), jwt.ErrSignature},
		"a kid that is a number":        {sign(t, lib.SigningMethodPS256, keys.rsa, kid(7)), jwt.ErrSignature},
		"another's key":                 {sign(t, lib.SigningMethodRS256, keys.otherRSA, nil), jwt.ErrSignature},
		"another issuer's key":          {sign(t, lib.SigningMethodRS512, keys.otherRSA, nil), jwt.ErrAlgorithm},
		"another issuer's algorithm":    {sign(t, lib.SigningMethodRS256, keys.otherRSA, claim("iss", "https://other.example")), jwt.ErrAlgorithm},
		"another issuer":                {sign(t, lib.SigningMethodRS512, keys.otherRSA, claim("iss", "https://other.example")), nil},
		"the curve of another algorithm": {forge(t, `{"alg":"ES256","kid":"p384"}`, parts[1], func(b []byte) []byte {
			return ecSignature(t, keys.p384, b)
		}), jwt.ErrSignature},
		"none":                             {sign(t, lib.SigningMethodNone, lib.UnsafeAllowNoneSignatureType, nil), jwt.ErrAlgorithm},
		"None, without a signature":        {base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"None"}`)) + "." + parts[1] + ".", jwt.ErrAlgorithm},
		"no signature":                     {parts[0] + "." + parts[1] + ".", jwt.ErrSignature},
		"the public key as shared secret":  {sign(t, lib.SigningMethodHS256, public, nil), jwt.ErrAlgorithm},
		"the DER as shared secret":         {sign(t, lib.SigningMethodHS256, der, nil), jwt.ErrAlgorithm},
		"a shared secret that is in a set": {sign(t, lib.SigningMethodHS256, []byte("a shared secret of thirty-two by"), kid("shared")), jwt.ErrAlgorithm},
		"its own key in the header":        {sign(t, lib.SigningMethodRS256, keys.otherRSA, header("jwk", json.RawMessage(jwk(t, keys.otherRSA.Public(), "rsa")))), jwt.ErrSignature},
		"its own URL in the header":        {sign(t, lib.SigningMethodRS256, keys.otherRSA, header("jku", "https://evil.example/jwks")), jwt.ErrSignature},
		"what must be understood":          {sign(t, lib.SigningMethodRS256, keys.rsa, header("crit", []string{"exp"})), jwt.ErrMalformed},
		"other claims":                     {parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"iss":"https://idp.example","sub":"admin"}`)) + "." + parts[2], jwt.ErrSignature},
		"expired":                          {sign(t, lib.SigningMethodRS256, keys.rsa, claim("exp", in(-40*time.Second))), jwt.ErrExpired},
		"without an end":                   {sign(t, lib.SigningMethodRS256, keys.rsa, claim("exp", nil)), jwt.ErrClaims},
		"an end that is a text":            {sign(t, lib.SigningMethodRS256, keys.rsa, claim("exp", "never")), jwt.ErrClaims},
		"not yet":                          {sign(t, lib.SigningMethodRS256, keys.rsa, claim("nbf", in(time.Minute))), jwt.ErrNotYet},
		"for another":                      {sign(t, lib.SigningMethodRS256, keys.rsa, claim("aud", "digate2")), jwt.ErrAudience},
		"for nobody":                       {sign(t, lib.SigningMethodRS256, keys.rsa, claim("aud", nil)), jwt.ErrClaims},
		"of an unknown issuer":             {sign(t, lib.SigningMethodRS256, keys.rsa, claim("iss", "https://idp.example/")), jwt.ErrIssuer},
		"of no issuer":                     {sign(t, lib.SigningMethodRS256, keys.rsa, claim("iss", nil)), jwt.ErrIssuer},
		"an issuer that is a list":         {sign(t, lib.SigningMethodRS256, keys.rsa, claim("iss", []string{"https://idp.example"})), jwt.ErrIssuer},
		"no JWT":                           {"sk-live-hunter2", jwt.ErrMalformed},
		"nothing":                          {"", jwt.ErrMalformed},
		"two parts":                        {parts[0] + "." + parts[1], jwt.ErrMalformed},
		"five parts":                       {good + ".x.y", jwt.ErrMalformed},
		"padding":                          {parts[0] + "=." + parts[1] + "." + parts[2], jwt.ErrMalformed},
		"a deep header":                    {base64.RawURLEncoding.EncodeToString([]byte(strings.Repeat("[", 3000))) + ".e30.", jwt.ErrMalformed},
	} {
		token, err := v.Verify(c.token)
		if !errors.Is(err, c.want) || (err == nil) != (token != nil) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

// forge returns a token whose header the library would not make.
func forge(t *testing.T, header, payload string, signature func([]byte) []byte) string {
	t.Helper()
	text := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + payload
	return text + "." + base64.RawURLEncoding.EncodeToString(signature([]byte(text)))
}

// ecSignature returns an ES256 signature by a key of another curve, as long as one of
// ES256 can be.
func ecSignature(t *testing.T, k *ecdsa.PrivateKey, text []byte) []byte {
	t.Helper()
	h := crypto.SHA256.New()
	h.Write(text)
	for { // until both numbers are short by chance would take for ever: cut them
		r, s, err := ecdsa.Sign(rand.Reader, k, h.Sum(nil))
		must(t, err)
		out := make([]byte, 64)
		copy(out[:32], r.Bytes())
		copy(out[32:], s.Bytes())
		return out
	}
}

func TestVerify_Claims_AreThoseOfTheToken(t *testing.T) {
	t.Parallel()
	v := newVerifier(t, nil, corp("file://"+keyFile(t, wholeSet(t))))
	ends := time.Now().Add(time.Hour).Truncate(time.Second)
	token, err := v.Verify(sign(t, lib.SigningMethodRS256, keys.rsa, func(_ map[string]any, c lib.MapClaims) {
		c["exp"], c["groups"], c["level"], c["deep"] = ends.Unix(), []string{"a", "b"}, 7, map[string]string{"x": "y"}
	}))
	must(t, err)
	if token.Issuer != "corp" || !token.Expires.Equal(ends.Add(30*time.Second)) {
		t.Errorf("got %s, %v", token.Issuer, token.Expires)
	}
	for _, c := range []struct {
		claim, value string
		want         bool
	}{
		{"sub", "billing", true}, {"sub", "bill", false}, {"groups", "b", true}, {"groups", "c", false}, {"level", "7", false},
		{"deep", "y", false}, {"none", "", false},
	} {
		if got := token.Has(c.claim, c.value); got != c.want {
			t.Errorf("%s=%s: got %t", c.claim, c.value, got)
		}
	}
}

// A key that is not known has the keys read, as often as anybody may bring that about
// and no more often.
func TestVerify_UnknownKey_HasTheKeysReadInBounds(t *testing.T) {
	t.Parallel()
	read := make(chan string)
	texts := make(chan string, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text := <-texts
		_, _ = w.Write([]byte(text))
		read <- r.Header.Get("Authorization")
	}))
	t.Cleanup(srv.Close)
	texts <- set(jwk(t, keys.rsa.Public(), "rsa"))
	go func() { <-read }()
	v := newVerifier(t, nil, corp(srv.URL))
	old, fresh := sign(t, lib.SigningMethodRS256, keys.rsa, nil), sign(t, lib.SigningMethodES256, keys.p256, func(h map[string]any, _ lib.MapClaims) { h["kid"] = "new" })
	if _, err := v.Verify(old); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		if _, err := v.Verify(fresh); !errors.Is(err, jwt.ErrSignature) {
			t.Fatalf("just after the keys were read: %v", err)
		}
	}
	select {
	case texts <- "": // nobody asks for it
	default:
		t.Error("the keys were asked for")
	}
}

func TestVerifier_FileOfKeysChanges_IsReadAndOldKeysEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		path := keyFile(t, set(jwk(t, keys.rsa.Public(), "rsa")))
		var told []string
		v, err := jwt.New(t.Context(), []*accounts.Issuer{corp("file://" + path)}, func(issuer string, err error) {
			told = append(told, issuer+": "+map[bool]string{true: "fails", false: "is back"}[err != nil])
		})
		must(t, err)
		defer v.Close()
		token := sign(t, lib.SigningMethodRS256, keys.rsa, nil)
		for _, step := range []struct {
			text string
			want error
			told string
		}{
			{set(jwk(t, keys.rsa.Public(), "rsa")), nil, ""},
			{"{garbage", nil, "corp: fails"},
			{set(), nil, "corp: fails corp: fails"},
			{set(jwk(t, keys.otherRSA.Public(), "rsa")), jwt.ErrSignature, "corp: fails corp: fails corp: is back"},
			{strings.Repeat(" ", 1<<20+1), jwt.ErrSignature, "corp: fails corp: fails corp: is back corp: fails"},
		} {
			must(t, os.WriteFile(path, []byte(step.text), 0o600))
			time.Sleep(11 * time.Second)
			synctest.Wait()
			if _, err := v.Verify(token); !errors.Is(err, step.want) {
				t.Errorf("%.20s: got %v, want %v", step.text, err, step.want)
			}
			if got := strings.Join(told, " "); got != step.told || (len(v.Failing()) > 0) != strings.HasSuffix(step.told, "fails") {
				t.Errorf("%.20s: told %q, want %q; failing %v", step.text, got, step.told, v.Failing())
			}
			if age := time.Since(v.KeysRead()["corp"]); (age >= 11*time.Second) != (len(v.Failing()) > 0) {
				t.Errorf("%.20s: the keys were read %v ago", step.text, age)
			}
		}
	})
}

// The file of accounts may change while an issuer is away, whose callers go on.
func TestNext_KeysCannotBeRead_ThoseBeforeStay(t *testing.T) {
	t.Parallel()
	path := keyFile(t, wholeSet(t))
	before, err := jwt.New(t.Context(), []*accounts.Issuer{corp("file://" + path)}, nil)
	must(t, err)
	must(t, os.Remove(path))
	other := corp("file://" + keyFile(t, wholeSet(t)))
	other.Name, other.Issuer = "other", "https://other.example"
	v, err := before.Next(t.Context(), []*accounts.Issuer{corp("file://" + path), other})
	must(t, err)
	defer v.Close()
	before.Close()
	if _, err := v.Verify(sign(t, lib.SigningMethodRS256, keys.rsa, nil)); err != nil || v.KeysRead()["corp"].IsZero() {
		t.Errorf("got %v, read at %v", err, v.KeysRead())
	}
	moved, err := v.Next(t.Context(), []*accounts.Issuer{corp("file://" + path + ".new")})
	must(t, err)
	defer moved.Close()
	if _, err := moved.Verify(sign(t, lib.SigningMethodRS256, keys.rsa, nil)); !errors.Is(err, jwt.ErrNoKeys) {
		t.Errorf("the keys of another key set: got %v", err)
	}
}

func TestNew_KeysThatAreAway_DoNotKeepTheServerFromStarting(t *testing.T) {
	t.Parallel()
	told := make(chan error, 10)
	v := newVerifier(t, func(_ string, err error) { told <- err }, corp("file:///nonexistent/jwks.json"))
	if err := await.Value(t, told, "word of the keys"); err == nil {
		t.Error("nobody is told")
	} else if _, never := errors.AsType[*jwt.NoKeysError](err); !never {
		t.Errorf("told %v", err)
	}
	if _, err := v.Verify(sign(t, lib.SigningMethodRS256, keys.rsa, nil)); !errors.Is(err, jwt.ErrNoKeys) {
		t.Errorf("got %v", err)
	}
}

func TestNew_ServerOfKeysMisbehaves_IsToldOf(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		t.Error("a redirect was followed")
		_, _ = w.Write([]byte(wholeSet(t)))
	}))
	t.Cleanup(elsewhere.Close)
	redirect := func(to string, status int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", to)
			w.WriteHeader(status)
			_, _ = w.Write([]byte(wholeSet(t))) // which counts for nothing
		}
	}
	file := "file://" + keyFile(t, wholeSet(t))
	for name, handle := range map[string]http.HandlerFunc{
		"redirects":            redirect(elsewhere.URL, http.StatusFound),
		"redirects for ever":   redirect(elsewhere.URL, http.StatusPermanentRedirect),
		"redirects to a file":  redirect(file, http.StatusSeeOther),
		"redirects to itself":  redirect("/", http.StatusTemporaryRedirect),
		"has many choices":     redirect(elsewhere.URL, http.StatusMultipleChoices),
		"sends a GiB":          sendGiB(t, ""),
		"sends a GiB as 1 MiB": sendGiB(t, "gzip"),
		"sends headers for ever": func(w http.ResponseWriter, _ *http.Request) {
			for range 1000 {
				w.Header().Add("X-Much", strings.Repeat("~", 64<<10))
			}
			_, _ = w.Write([]byte(wholeSet(t)))
		},
		"fails": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
		"too large": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(strings.Repeat(" ", 2<<20) + wholeSet(t)))
		},
		"breaks off": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "99999")
			_, _ = w.Write([]byte("{"))
		},
		"HTML": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) },
		"many keys": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(set(strings.Repeat(`{},`, 200) + jwk(t, keys.rsa.Public(), "rsa"))))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := httptest.NewServer(handle)
			t.Cleanup(srv.Close)
			told := make(chan error, 10)
			v := newVerifier(t, func(_ string, err error) { told <- err }, corp(srv.URL))
			if err := await.Value(t, told, "word of the keys"); err == nil {
				t.Error("nobody is told")
			}
			if _, err := v.Verify(sign(t, lib.SigningMethodRS256, keys.rsa, nil)); !errors.Is(err, jwt.ErrNoKeys) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// sendGiB responds with a key set behind a GiB of spaces, as it is or compressed, and fails the test
// if more of it than a few MiB are taken.
func sendGiB(t *testing.T, coding string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		var to io.Writer = w
		if coding != "" {
			w.Header().Set("Content-Encoding", coding)
			z := gzip.NewWriter(w)
			defer func() { _ = z.Close() }()
			to = z
		} else {
			w.Header().Set("Content-Length", strconv.Itoa(1<<30))
		}
		chunk := bytes.Repeat([]byte(" "), 1<<20)
		for sent := range 1 << 10 {
			if _, err := to.Write(chunk); err != nil {
				if coding == "" && sent > 64 { // what the buffers of a socket hold
					t.Errorf("%d MiB were taken", sent)
				}
				return
			}
		}
		if _, err := to.Write([]byte(wholeSet(t))); err == nil && coding == "" {
			t.Error("a GiB was taken")
		}
	}
}

// The file of accounts says which algorithms an issuer signs by. A key set that puts other
// keys under a name gives tokens no other.
func TestVerifier_KeySetChangesItsAlgorithms_OnlyTheIssuersAreTaken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		secret := []byte("a shared secret of thirty-two by")
		path := keyFile(t, set(jwk(t, keys.rsa.Public(), "rsa")))
		issuer := corp("file://" + path)
		issuer.Algorithms = []string{"RS256", "ES256"}
		v, err := jwt.New(t.Context(), []*accounts.Issuer{issuer}, nil)
		must(t, err)
		defer v.Close()
		tokens := map[string]string{
			"RS256": sign(t, lib.SigningMethodRS256, keys.rsa, nil), "PS256": sign(t, lib.SigningMethodPS256, keys.rsa, nil),
			"ES256": sign(t, lib.SigningMethodES256, keys.p256, nil), "ES384": sign(t, lib.SigningMethodES384, keys.p384, nil),
			"EdDSA": sign(t, lib.SigningMethodEdDSA, keys.ed, nil), "HS256": sign(t, lib.SigningMethodHS256, secret, nil),
			"none": sign(t, lib.SigningMethodNone, lib.UnsafeAllowNoneSignatureType, nil),
		}
		algorithm := func(name string) func(map[string]any) { return func(f map[string]any) { f["alg"] = name } }
		for _, step := range []struct{ name, text, valid string }{
			{"an RSA key", set(jwk(t, keys.rsa.Public(), "rsa")), "RS256"},
			{"a curve's key instead", set(jwk(t, keys.p256.Public(), "rsa")), "ES256"},
			{"a larger curve's", set(jwk(t, keys.p384.Public(), "rsa")), ""},
			{"a key of an algorithm that the issuer has not", set(jwk(t, keys.ed.Public(), "rsa")), ""},
			{"the RSA key for PS256", set(jwk(t, keys.rsa.Public(), "rsa", algorithm("PS256"))), ""},
			{"the RSA key for HS256", set(jwk(t, keys.rsa.Public(), "rsa", algorithm("HS256"))), ""},
			{"the RSA key for none", set(jwk(t, keys.rsa.Public(), "rsa", algorithm("none"))), ""},
			{"a shared secret besides", set(jwk(t, secret, "rsa"), jwk(t, keys.rsa.Public(), "rsa")), "RS256"},
			{"all of them", set(jwk(t, keys.ed.Public(), "rsa"), jwk(t, secret, "rsa"), jwk(t, keys.p256.Public(), "rsa"), jwk(t, keys.rsa.Public(), "rsa")), "ES256 RS256"},
			{"the first again", set(jwk(t, keys.rsa.Public(), "rsa")), "RS256"},
		} {
			must(t, os.WriteFile(path, []byte(step.text), 0o600))
			time.Sleep(11 * time.Second)
			synctest.Wait()
			var valid []string
			for name, token := range tokens {
				if _, err := v.Verify(token); err == nil {
					valid = append(valid, name)
				}
			}
			slices.Sort(valid)
			if got := strings.Join(valid, " "); got != step.valid {
				t.Errorf("%s: tokens of %q are valid, want %q", step.name, got, step.valid)
			}
		}
	})
}
