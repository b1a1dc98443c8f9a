package doctor

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/digate/digate/cmd/digate/internal/clitest"
	"github.com/digate/digate/server/config"
	"github.com/digate/digate/server/emulator"
)

func TestAccounts_FileAndItsTokens_AreReadAsServeReadsThem(t *testing.T) {
	t.Parallel()
	const token = "sk-of-acme-hunter2"
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "acme"), []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	const issuers = "issuers:\n  corp: {issuer: \"https://idp.example\", audience: digate, keys: \"https://idp.example/jwks.json\", algorithms: [ES256]}\n"
	file := func(token, issuers, identity string) string {
		return "accounts:\n  acme: {token: \"file://" + dir + "/" + token + "\"}\n" + issuers +
			"callers:\n  billing:\n    identities: [" + identity + "]\n    allow: [{accounts: [acme], methods: [\"*\"]}]\n"
	}
	for name, c := range map[string]struct {
		text   string
		change func(*config.Config)
		result string
		says   []string
	}{
		"good":               {file("acme", issuers, "{token: {issuer: corp, sub: billing}}"), nil, resultOK, []string{"1 account (acme), 1 caller, 1 issuer; SHA-256 ", ", changed "}},
		"unverified":         {file("acme", issuers, "{dns: billing.example}"), nil, resultWarn, []string{"--tls-client-ca-file"}},
		"nobody":             {file("acme", "", "{dns: billing.example}"), nil, resultFail, []string{"nobody could authenticate"}},
		"by certificate":     {file("acme", "", "{dns: billing.example}"), func(cfg *config.Config) { cfg.TLS.ClientCAFile = "ca.pem" }, resultOK, []string{"0 issuers"}},
		"a token is missing": {file("globex", issuers, "{dns: x.example}"), nil, resultFail, []string{"line 2: account acme, token: ", "keeps the version before"}},
		"a mistake":          {"accounts: 1\n", nil, resultFail, []string{"line 1: "}},
		"no file":            {"", func(cfg *config.Config) { cfg.AccountsFile = "/nonexistent" }, resultFail, []string{"no such file"}},
		"tokens are callers": {"", func(cfg *config.Config) { cfg.AccountsFile = "" }, resultSkipped, []string{"a new token is a new caller"}},
		"a claim names them": {"", func(cfg *config.Config) { cfg.AccountsFile, cfg.CallerID.Claim = "", "sub" }, resultSkipped, []string{"claim sub"}},
	} {
		cfg := config.Defaults()
		cfg.AccountsFile = filepath.Join(t.TempDir(), "accounts.yaml")
		if err := os.WriteFile(cfg.AccountsFile, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if c.change != nil {
			c.change(&cfg)
		}
		got := examineAccounts(&cfg)
		for _, says := range c.says {
			if text := got.Found + got.Advice; got.Result != c.result || !strings.Contains(text, says) || strings.Contains(text, "hunter2") {
				t.Errorf("%s: %+v, want %s %q", name, got, c.result, says)
			}
		}
	}
}

func TestDoctor_FileOfAccounts_TriesTheTokenOfEachAccountAndNoCallers(t *testing.T) {
	diga := emulator.New(emulator.Options{})
	upstream, seen := watched(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "Bearer revoked" {
			says(401, "application/json", `{"error_code": "UNAUTHORIZED", "message": "no"}`).ServeHTTP(w, r)
			return
		}
		diga.ServeHTTP(w, r)
	}))
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	file := write("accounts.yaml", `
accounts:
  acme: {token: "file://`+write("acme", "of-acme")+`"}
  globex: {token: "file://`+write("globex", "of-globex")+`"}
issuers:
  corp: {issuer: "https://idp.example", audience: digate, keys: "https://idp.example/jwks.json", algorithms: [ES256]}
callers:
  billing:
    identities: [token: {issuer: corp, sub: billing}]
    allow: [{accounts: ["*"], methods: ["*"]}]
`)
	got := examine(t, "--upstream-url", upstream.URL, "--accounts-file", file)
	got.expect(t, "oososooosoooso")
	if found := got.checks["upstream"].Found; !strings.Contains(found, "for each of 2 accounts") {
		t.Errorf("got %q", found)
	}
	for _, token := range []string{"Bearer of-acme", "Bearer of-globex"} {
		if !slices.Contains(seen.tokens, token) {
			t.Errorf("%s was not tried", token)
		}
	}
	if slices.Contains(seen.tokens, "Bearer "+clitest.Token) {
		t.Error("the caller's token went to Diga")
	}

	write("globex", "revoked")
	got = examine(t, "--upstream-url", upstream.URL, "--accounts-file", file)
	got.expect(t, "oososoFssoooso")
	if found := got.checks["upstream"].Found; !strings.Contains(found, "401") || !strings.Contains(found, "(globex)") {
		t.Errorf("got %q", found)
	}

	write("accounts.yaml", "accounts: 1\n")
	examine(t, "--upstream-url", upstream.URL, "--accounts-file", file).expect(t, "oososFsssooosF")
}
