package abuse

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/digate/digate/test/rig"
)

// guarded is a digate that serves over TLS and has a file of accounts, under attack.
type guarded struct {
	*target

	diga   *rig.Upstream
	issuer *issuer
	pair   *pair
	// accounts is the file of accounts, and key that of the account's token.
	accounts, key string
}

const accountKey = "sk-account-0123456789"

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

// reload is how often a guarded digate reads the files of its certificate.
const reload = 50 * time.Millisecond

// startGuarded starts a guarded digate. Its callers are those of the file of accounts. Its
// issuer's server sends the keys once, and then what later does.
func startGuarded(t *testing.T, later func(*issuer, http.ResponseWriter)) (*guarded, *others) {
	t.Helper()
	up, err := rig.NewUpstream(nil)
	must(t, err)
	t.Cleanup(func() { _ = up.Close() })

	dir := t.TempDir()
	write := func(name string, text []byte) string {
		path := filepath.Join(dir, name)
		must(t, os.WriteFile(path, text, 0o600))
		return path
	}
	g := &guarded{diga: up, issuer: newIssuer(t, later), pair: newPair(t)}
	g.key = write("key", []byte(accountKey+"\n"))
	g.accounts = write("accounts.yaml", []byte(g.file()))
	g.target = startTarget(t, rig.ServeCommand(build(t, "cmd/digate"), append(g.pair.flags(),
		"--tls-reload-interval", reload.String(), "--upstream-url", up.URL(), "--accounts-file", g.accounts)...))
	g.client = g.pair.client
	token := sign(jwt.SigningMethodEdDSA, g.issuer.private, nil)
	g.issuer.keep(token)
	return g, newOthers(t, g.target, "Bearer "+token)
}

// file returns the text of the file of accounts.
func (g *guarded) file() string { return fmt.Sprintf(guardedFile, g.key, g.issuer.url) }

// TestAbuse_Guarded runs each attack on the TLS and the credentials of a digate. Only its
// callers may reach Diga.
func TestAbuse_Guarded(t *testing.T) {
	begin(t, guardedHead)
	for _, a := range guardedAttacks {
		t.Run(a.name, func(t *testing.T) {
			besides(t)
			g, others := startGuarded(t, a.keys)
			var copies atomic.Int64
			made := others.copy
			others.copy = func(ctx context.Context, n int) error {
				copies.Add(1)
				return made(ctx, n)
			}
			a.run = func(f *front, n int) { a.against(g, f, n) }
			a.judge(t, "", g.target, g.GRPC, others)
			if got, most := int64(g.diga.Asked()), copies.Load(); got > most {
				t.Errorf("Diga was called %d times, and the callers made %d calls", got, most)
			}
			if n := g.issuer.asked.Load(); n > 3 || a.keys != nil && n < 2 {
				t.Errorf("the issuer was asked for its keys %d times within seconds", n)
			}
			if g.issuer.followed.Load() {
				t.Error("a redirect of the issuer was followed")
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
