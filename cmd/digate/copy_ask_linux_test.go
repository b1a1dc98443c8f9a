package main

import (
	"strings"
	"testing"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/clitest"
	"github.com/digate/digate/cmd/digate/internal/term"
)

const (
	keyQuestion   = "API key (not shown; Enter for later): "
	whichTemplate = "Which template? "
)

func TestCopy_ChosenTemplate_AsksForWhatIsMissingAndHidesSecrets(t *testing.T) {
	addr, e := stand(t)
	got := inDialogue(t, []reply{{whichTemplate, "1\n"}, {"shop, in base_url (Enter for later): ", "North\n"}, {keyQuestion, clitest.APIKey + "x\x7f\n"}},
		"copy", "--addr", addr)
	clitest.CheckNoSecret(t, got)
	all := e.Integrations(clitest.Token)
	if got.Code != client.ExitDone || len(all) != 1 || !strings.Contains(all[0].BaseURL, "//North.") || all[0].AuthKey == nil || *all[0].AuthKey != clitest.APIKey {
		t.Errorf("%+v\n%+v", got, all)
	}
	if strings.Contains(got.Out, "missing:") || !strings.Contains(got.Err, "Enter for later): North\n") {
		t.Errorf("%+v", got)
	}
}

// The names and the places of placeholders say which may be secrets.
func TestCopy_ChosenTemplate_HidesWhatMayBeASecret(t *testing.T) {
	addr, _ := stand(t)
	got := inDialogue(t, []reply{{whichTemplate, "4\n"}, {"toolsets, in headers.X-MCP-Toolsets (not shown; Enter for later): ", "hunter2\n"}, {keyQuestion, "\n"}}, "copy", "--addr", addr)
	clitest.CheckNoSecret(t, got)
	if got.Code != client.ExitDone || !strings.Contains(got.Out, "missing: api key") || strings.Contains(got.Out, "missing: <<toolsets>>") {
		t.Errorf("%+v", got)
	}
	if mayBeSecret("shop", nil) || !mayBeSecret("apiToken", nil) {
		t.Error("names")
	}
}

func TestCopy_NameWithoutValue_IsAskedForAndHidden(t *testing.T) {
	addr, e := stand(t)
	got := inDialogue(t, []reply{{"Value of shop (not shown): ", "hunter2\n"}, {"API key (not shown): ", clitest.APIKey + "\n"}},
		"copy", clitest.TemplateID, "--addr", addr, "--var", "shop", "--api-key-file", "-")
	if all := e.Integrations(clitest.Token); got.Code != client.ExitDone || len(all) != 1 || !strings.Contains(all[0].BaseURL, "//hunter2.") || *all[0].AuthKey != clitest.APIKey {
		t.Errorf("%+v\n%+v", got, all)
	}
	clitest.CheckNoSecret(t, clitest.Ran{Err: got.Err}) // the base URL in the output is no secret
}

func TestUpdate_HeaderWithoutValue_IsAskedForAndHidden(t *testing.T) {
	addr, e := stand(t)
	id := copied(t, addr, clitest.TemplateID)
	got := inDialogue(t, []reply{{"Header X-Secret (not shown): ", "hunter2\n"}, {"Credential (not shown): ", "hunter2-2\n"}},
		"integrations", "update", id, "--addr", addr, "--header", "X-Secret", "--auth-key-file", "-")
	clitest.CheckNoSecret(t, got)
	if i := e.Integrations(clitest.Token)[0]; got.Code != client.ExitDone || i.Headers["X-Secret"] != "hunter2" || *i.AuthKey != "hunter2-2" {
		t.Errorf("%+v\n%+v", got, i)
	}
}

func TestTokenFile_StandardInput_IsReadOnceOrAskedFor(t *testing.T) {
	addr, _ := stand(t)
	t.Setenv("DIGATE_TOKEN", "")
	got := inDialogue(t, []reply{{"Token (not shown): ", clitest.Token + "\n"}}, "templates", "list", "--addr", addr, "--token-file", "-")
	clitest.CheckNoSecret(t, got)
	if got.Code != client.ExitDone {
		t.Errorf("%+v", got)
	}
	// A copy without an id connects three times.
	got = inDialogue(t, []reply{{"Token (not shown): ", clitest.Token + "\n"}, {whichTemplate, "1\n"}, {"shop, in", "\n"}, {keyQuestion, "\n"}}, "copy", "--addr", addr, "--token-file", "-")
	if got.Code != client.ExitDone || strings.Count(got.Err, "Token (not shown)") != 1 {
		t.Errorf("%+v", got)
	}
	if got := clitest.RunWith(t, run, clitest.Token+"\n", "templates", "list", "--addr", addr, "--token-file", "-"); got.Code != client.ExitDone {
		t.Errorf("%+v", got)
	}
	csv := "template_id\n" + clitest.TemplateID + "\n"
	if got := clitest.RunWith(t, run, csv, "bulk", "-", "--format", "csv", "--addr", addr, "--token-file", "-"); got.Code != client.ExitUsage || !strings.Contains(got.Err, "is the input already") {
		t.Errorf("%+v", got)
	}
}

// Nobody sees a question that goes into a file.
func TestQuestions_StandardErrorIsNoTerminal_NobodyIsAsked(t *testing.T) {
	addr, e := stand(t)
	id := copied(t, addr, clitest.TemplateID)
	for want, args := range map[string][]string{
		"--yes deletes without asking":                      {"integrations", "delete", id},
		"copy needs <template_id>":                          {"copy"},
		"--var-file NAME=FILE":                              {"copy", clitest.TemplateID, "--var", "hunter2"},
		"--header-file NAME=FILE":                           {"integrations", "update", id, "--header", "hunter2"},
		"--api-key-file: standard error is not a terminal":  {"copy", clitest.TemplateID, "--api-key-file", "-"},
		"--auth-key-file: standard error is not a terminal": {"integrations", "update", id, "--auth-key-file", "-"},
		"--token-file: standard error is not a terminal":    {"templates", "list", "--token-file", "-"},
	} {
		command, _ := clitest.Terminal(t, 60)
		var out, err strings.Builder
		code := run(t.Context(), append(args, "--addr", addr), term.IO{In: command, Out: &out, Err: &err})
		if code == client.ExitDone || !strings.Contains(err.String(), want) || strings.Contains(err.String(), "hunter2") {
			t.Errorf("%q: exit code %d, %s", args, code, err.String())
		}
	}
	if n := len(e.Integrations(clitest.Token)); n != 1 {
		t.Errorf("%d integrations", n)
	}
}
