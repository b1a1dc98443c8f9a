package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/clitest"
)

const accountsFile = `accounts:
  acme:
    token: file:///run/secrets/acme
    copies_per_day: 500
  globex:
    token: env://DIGATE_TEST_UNSET
  spare:
    token: env://DIGATE_TEST_UNSET
callers:
  billing:
    identities:
      - dns: billing.example
    requests_per_second: 5
    allow:
      - accounts: [acme]
        methods: [CopyTemplate, "List*"]
        templates: [` + clitest.TemplateID + `]
  reports:
    identities:
      - uri: spiffe://example/reports
    allow:
      - accounts: [acme, globex]
        methods: ["List*", "Get*"]
`

const brokenAccountsFile = `accounts:
  acme:
    token: sk-live
    copies_per_day: many
callers:
  billing:
    identities:
      - dns: billing.example
    allow:
      - accounts: [acmee]
        methods: [CopyTemplat]
`

func TestScreens_Accounts(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for name, text := range map[string]string{"accounts.yaml": accountsFile, "broken.yaml": brokenAccountsFile, "noyaml.yaml": "accounts:\n\t- x\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const explain = "accounts explain --accounts-file accounts.yaml --caller "
	lines := func(text string) string { return strings.ReplaceAll(text, dir+"/", "") }
	clitest.Screen(t, "accounts-check", lines(session(t, []string{
		"accounts check accounts.yaml", "accounts check accounts.yaml --tokens", "accounts check broken.yaml", "accounts check noyaml.yaml", "accounts check none.yaml",
	})))
	clitest.Screen(t, "accounts-explain", lines(session(t, []string{
		explain + "billing --method CopyTemplate --template " + clitest.TemplateID,
		explain + "billing --account acme --method CopyTemplate --template 00000000-0000-4000-8000-000000000000",
		explain + "billing --account globex --method ListTools",
		explain + "billing --method DeleteTool",
	})))
	clitest.Screen(t, "accounts-explain-table", lines(session(t, []string{explain + "billing"})))
	clitest.Screen(t, "accounts-explain-wrong", lines(session(t, []string{
		explain + "reports --method ListTools",
		explain + "report --account acme",
		explain + "reports --account acm",
		explain + "reports --account acme --method ListTool",
		"accounts explain --accounts-file broken.yaml --caller billing",
	})))
}

func TestAccounts_ExitCode_TellsAScript(t *testing.T) {
	dir := t.TempDir()
	file, broken := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	for path, text := range map[string]string{file: accountsFile, broken: brokenAccountsFile} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	explain := "accounts explain --accounts-file " + file + " --caller billing"
	for args, want := range map[string]int{
		"accounts check " + file:                                      client.ExitDone,
		"accounts check --tokens " + file:                             client.ExitFindings,
		"accounts check " + broken:                                    client.ExitFindings,
		explain:                                                       client.ExitDone,
		explain + " --method ListTools":                               client.ExitDone,
		explain + " --method DeleteTool":                              client.ExitFindings,
		explain + " --method DeleteTools":                             client.ExitFailed,
		"accounts explain --caller billing":                           client.ExitUsage,
		"accounts explain --caller billing --accounts-file " + broken: client.ExitFailed,
	} {
		if got := digate(t, strings.Fields(args)...); got.Code != want {
			t.Errorf("%s: exit code %d, want %d: %+v", args, got.Code, want, got)
		}
	}
}
