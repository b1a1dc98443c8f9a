package abuse

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"google.golang.org/grpc/credentials"

	"github.com/digate/digate/server/certs/authority"
	"github.com/digate/digate/test/await"
	"github.com/digate/digate/test/rig"
)

// guarded is a digate that serves over TLS and has a file of accounts, under attack.
type guarded struct {
	*target

	diga   *rig.Upstream
	issuer *issuer
	// client is the TLS of whoever calls it.
	client *tls.Config
	// accounts is the file of accounts, and key that of the account's token.
	accounts, key string
}

const (
	accountKey = "sk-account-0123456789"
	issuerName = "https://idp.example"
)

// guardedFile is a file of accounts with an issuer whose keys are at a URL.
const guardedFile = `accounts:
  acme: {token: "file://%s"}
issuers:
  corp: {issuer: "` + issuerName + `", audience: digate, keys: "%s", algorithms: [EdDSA], leeway: 0s}
callers:
  billing:
    identities: [{token: {issuer: corp, sub: billing}}]
    allow: [{accounts: [acme], methods: [CopyTemplate]}]
`

// issuer makes tokens. Its server sends its keys once, and from then on a response
// without an end.
type issuer struct {
	public  ed25519.PublicKey
	private ed25519.PrivateKey
	url     string
	asked   atomic.Int64

	mu   sync.Mutex
	made []string // tokens, which no log may have
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	i := &issuer{public: public, private: private}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if i.asked.Add(1) == 1 {
			_, _ = fmt.Fprintf(w, `{"keys": [{"kty":"OKP","crv":"Ed25519","kid":"k","x":%q}]}`, base64.RawURLEncoding.EncodeToString(public))
			return
		}
		for chunk := bytes.Repeat([]byte(" "), 64<<10); ; {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}))
	t.Cleanup(srv.Close)
	i.url = srv.URL
	return i
}

// sign returns a token by a method and a key, with these claims above those of a caller.
func sign(method jwt.SigningMethod, key any, change jwt.MapClaims) string {
	claims := jwt.MapClaims{"iss": issuerName, "aud": "digate", "sub": "billing", "exp": time.Now().Add(time.Hour).Unix()}
	maps.Copy(claims, change)
	token := jwt.NewWithClaims(method, claims)
	token.Header["kid"] = "k"
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

// startGuarded starts a guarded digate. Its callers are those of the file of accounts.
func startGuarded(t *testing.T) (*guarded, *others) {
	t.Helper()
	own, err := authority.New("authority of the servers")
	must(t, err)
	cert, key, err := own.Issue(authority.Request{Names: []string{"digate", "127.0.0.1"}})
	must(t, err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(own.PEM())
	up, err := rig.NewUpstream(nil)
	must(t, err)
	t.Cleanup(func() { _ = up.Close() })

	dir := t.TempDir()
	write := func(name string, text []byte) string {
		path := filepath.Join(dir, name)
		must(t, os.WriteFile(path, text, 0o600))
		return path
	}
	g := &guarded{diga: up, issuer: newIssuer(t), client: &tls.Config{RootCAs: roots, ServerName: "digate", NextProtos: []string{"h2"}, MinVersion: tls.VersionTLS12}}
	g.key = write("key", []byte(accountKey+"\n"))
	g.accounts = write("accounts.yaml", []byte(g.file()))
	g.target = startTarget(t, rig.ServeCommand(build(t, "cmd/digate"), "--upstream-url", up.URL(), "--accounts-file", g.accounts,
		"--tls-cert-file", write("cert.pem", cert), "--tls-key-file", write("key.pem", key)))
	token := sign(jwt.SigningMethodEdDSA, g.issuer.private, nil)
	g.issuer.keep(token)
	return g, newOthersWith(t, credentials.NewTLS(&tls.Config{RootCAs: roots, ServerName: "digate", MinVersion: tls.VersionTLS12}), "Bearer "+token, g.GRPC)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// file returns the text of the file of accounts.
func (g *guarded) file() string { return fmt.Sprintf(guardedFile, g.key, g.issuer.url) }

// files returns how many files and connections the process has open.
func (g *guarded) files(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", g.PID()))
	must(t, err)
	return len(all)
}

// TestAbuse_Guarded runs each attack on the TLS and the credentials of a digate. Only its
// callers may reach Diga, and what the attack opened must be closed after it.
func TestAbuse_Guarded(t *testing.T) {
	if _, err := os.Stat("/proc/self/status"); err != nil {
		t.Skipf("what a process needs is read from /proc: %v", err)
	}
	fmt.Print(guardedHead)
	for _, a := range guardedAttacks {
		t.Run(a.name, func(t *testing.T) {
			if !*whole {
				t.Parallel()
			}
			g, others := startGuarded(t)
			var copies atomic.Int64
			made := others.copy
			others.copy = func(ctx context.Context, n int) error {
				copies.Add(1)
				return made(ctx, n)
			}
			before := g.files(t)
			a.run = func(f *front, n int) { a.against(g, f, n) }
			a.judge(t, "", g.target, g.GRPC, others)
			if got, most := int64(g.diga.Asked()), copies.Load(); got > most {
				t.Errorf("Diga was called %d times, and the callers made %d calls", got, most)
			}
			if n := g.issuer.asked.Load(); n > 3 {
				t.Errorf("the issuer was asked for its keys %d times within seconds", n)
			}
			if err := await.Poll(await.Patience, g.Ended(), func() error {
				if n := g.files(t); n > before+20 { // the callers' connections and that to Diga
					return fmt.Errorf("%d files are open, and there were %d", n, before)
				}
				return nil
			}); err != nil {
				t.Error(err)
			}
			log, err := os.ReadFile(g.log)
			must(t, err)
			for _, secret := range append(g.issuer.kept(), accountKey) {
				// A line that cuts a token short is found too.
				if bytes.Contains(log, []byte(secret[:min(len(secret), 120)])) {
					t.Errorf("the log has %.40s...", secret)
				}
			}
		})
	}
}

// clientHello returns the first record of a TLS client.
func clientHello() []byte {
	var h hello
	_ = tls.Client(&h, &tls.Config{ServerName: "digate", NextProtos: []string{"h2"}, MinVersion: tls.VersionTLS12}).Handshake()
	return h.Bytes()
}
