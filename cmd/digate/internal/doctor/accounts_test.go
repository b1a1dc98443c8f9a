package doctor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/digate/digate/server/config"
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
		"good":               {file("acme", issuers, "{token: {issuer: corp, sub: billing}}"), nil, resultOK, []string{"1 accounts (acme), 1 callers, 1 issuers; SHA-256 ", ", changed "}},
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
