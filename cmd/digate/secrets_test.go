package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/clitest"
)

func secretFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCopy_VariableInAFile_IsSentWithoutItsLineBreak(t *testing.T) {
	addr, e := stand(t)
	got := digate(t, "copy", clitest.TemplateID, "--addr", addr, "--var-file", "shop="+secretFile(t, "s3cret\n"))
	if got.Code != client.ExitDone {
		t.Fatalf("%+v", got)
	}
	if all := e.Integrations(clitest.Token); len(all) != 1 || !strings.Contains(all[0].BaseURL, "s3cret.") {
		t.Errorf("%+v", all)
	}
}

func TestCopy_WrongFilesOfVariables_AreNamedWithoutTheirContent(t *testing.T) {
	addr, e := stand(t)
	for want, args := range map[string][]string{
		`--var-file: "shop": open `:          {"--var-file", "shop=" + filepath.Join(t.TempDir(), "none")},
		`--var-file: must be NAME=VALUE`:     {"--var-file", "shop"},
		`--var-file: must be NAME=FILE`:      {"--var-file", "shop="},
		`--var-file: "shop" is set twice`:    {"--var", "shop=hunter2", "--var-file", "shop=x"},
		`standard input, which is -, can be`: {"--api-key-file", "-", "--var-file", "shop=-"},
	} {
		got := digate(t, append([]string{"copy", clitest.TemplateID, "--addr", addr}, args...)...)
		if got.Code == client.ExitDone || !strings.Contains(got.Err, want) || strings.Contains(got.Err, "hunter2") {
			t.Errorf("%q: %+v", args, got)
		}
	}
	if all := e.Integrations(clitest.Token); len(all) != 0 {
		t.Errorf("%d copies were made", len(all))
	}
}

func TestUpdate_HeadersOfFlagsAndFiles_ReplaceAllTogether(t *testing.T) {
	addr, e := stand(t)
	id := copied(t, addr, clitest.TemplateID)
	got := digate(t, "integrations", "update", id, "--addr", addr, "--header", "X-Shop=north", "--header-file", "X-Secret="+secretFile(t, "s3cret\n"))
	if got.Code != client.ExitDone || strings.Contains(got.Out+got.Err, "s3cret") {
		t.Fatalf("%+v", got)
	}
	if h := e.Integrations(clitest.Token)[0].Headers; len(h) != 2 || h["X-Shop"] != "north" || h["X-Secret"] != "s3cret" {
		t.Errorf("the headers are %q", h)
	}
	got = digate(t, "integrations", "update", id, "--addr", addr, "--header", "X-Shop=north", "--header-file", "X-Shop=-")
	if got.Code == client.ExitDone || !strings.Contains(got.Err, `--header-file: "X-Shop" is set twice`) {
		t.Errorf("%+v", got)
	}
}
