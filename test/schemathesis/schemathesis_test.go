// Package schemathesis_test has Schemathesis make requests of the OpenAPI document, as the
// document has them and as it forbids them, and judge the responses of `digate dev`.
package schemathesis_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/golang-jwt/jwt/v5"

	"github.com/digate/digate/internal/need"
	"github.com/digate/digate/test/rig"
)

var (
	run      = flag.Bool("schemathesis", false, "run Schemathesis, which test/schemathesis/install installs")
	examples = flag.Int("schemathesis.examples", 25, "requests for each operation and phase, beside those for every value and bound")
	seed     = flag.Int("schemathesis.seed", 1, "which requests are made")
)

func TestMain(m *testing.M) { rig.Main(m, 1) }

// Every request that the document allows is taken, every other one is refused, and no
// response departs from the document, but for what hooks.py explains.
func TestDocument_RequestsMadeOfIt_AreHandledAsItSays(t *testing.T) {
	url := dev(t)
	explained := schemathesis(t, url, "dev", "--exclude-checks", "ignored_auth", "-n", strconv.Itoa(*examples)) // whose account has what examples name
	for reason, n := range explained {
		t.Logf("%d explained: %s", n, reason)
	}
}

// A request of a stranger, or of nobody, is refused by every operation that the document
// does not name as public.
func TestDocument_RequestsOfStrangers_AreRefused(t *testing.T) {
	file, token := withAccounts(t)
	url := dev(t, "--accounts-file", file)
	schemathesis(t, url, token, "--checks", "ignored_auth", "--phases", "examples,fuzzing", "-n", "3")
}

// dev runs `digate dev` and returns the URL of its REST side.
func dev(t *testing.T, args ...string) string {
	t.Helper()
	if !*run {
		t.Skip("-schemathesis runs it")
	}
	binary, err := rig.Digate()
	must(t, err)
	cmd := exec.Command(binary, append([]string{
		"dev", "--grpc-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0", "--emulator-addr", "127.0.0.1:0", "--log-level", "INFO",
	}, args...)...)
	cmd.Env = rig.Environment()
	server, err := rig.StartServer(cmd, filepath.Join(t.TempDir(), "log"))
	must(t, err)
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	return "http://" + server.REST
}

// schemathesis runs Schemathesis and returns how often it complained of something that
// hooks.py explains. Any other complaint fails the test.
func schemathesis(t *testing.T, url, token string, args ...string) map[string]int {
	t.Helper()
	root, err := filepath.Abs("../../bin/schemathesis")
	must(t, err)
	hooks, err := filepath.Abs("hooks.py")
	must(t, err)
	dir := t.TempDir() // for what it keeps between its runs
	explained := filepath.Join(dir, "explained")
	cmd := exec.CommandContext(t.Context(), need.Program(t, "python3"), append([]string{
		filepath.Join(root, "bin", "st"), "run", url + "/openapi.json",
		"--header", "Authorization: Bearer " + token, "--seed", strconv.Itoa(*seed), "--generation-database", "none",
		"--continue-on-failure", "--no-color", "--output-truncate", "false",
	}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PYTHONPATH="+root, "PYTHONDONTWRITEBYTECODE=1", "SCHEMATHESIS_HOOKS="+hooks, "EXPLAINED="+explained)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	} else {
		t.Logf("%s", out)
	}
	reasons, err := os.ReadFile(explained)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	n := make(map[string]int)
	for reason := range strings.Lines(string(reasons)) {
		n[strings.TrimSpace(reason)]++
	}
	return n
}

// withAccounts writes a file of accounts and returns its path, and the token of its one
// caller.
func withAccounts(t *testing.T) (file, token string) {
	t.Helper()
	dir := t.TempDir()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	key, err := jwkset.NewJWKFromKey(public, jwkset.JWKOptions{Metadata: jwkset.JWKMetadataOptions{KID: "k"}})
	must(t, err)
	keys, err := json.Marshal(jwkset.JWKSMarshal{Keys: []jwkset.JWKMarshal{key.Marshal()}})
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "jwks.json"), keys, 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "token"), []byte("t\n"), 0o600))
	file = filepath.Join(dir, "accounts.yaml")
	must(t, os.WriteFile(file, []byte(strings.ReplaceAll(`accounts:
  main: {token: "file://DIR/token"}
issuers:
  corp: {issuer: "https://idp.example", audience: digate, keys: "file://DIR/jwks.json", algorithms: [EdDSA]}
callers:
  caller:
    identities: [{token: {issuer: corp, sub: caller}}]
    allow: [{accounts: [main], methods: ["*"]}]
`, "DIR", dir)), 0o600))
	claims := jwt.MapClaims{"iss": "https://idp.example", "aud": "digate", "sub": "caller", "exp": time.Now().Add(time.Hour).Unix()}
	signed := jwt.NewWithClaims(jwt.SigningMethodEdDSA, claims)
	signed.Header["kid"] = "k"
	token, err = signed.SignedString(private)
	must(t, err)
	return file, token
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
