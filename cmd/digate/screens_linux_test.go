package main

import (
	"strings"
	"testing"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/clitest"
	"github.com/digate/digate/cmd/digate/internal/term"
	"github.com/digate/digate/test/await"
)

// sessionAtTerminal is [session] on a real terminal, whose width commands know.
func sessionAtTerminal(t *testing.T, lines []string, places ...place) string {
	t.Helper()
	command, person := clitest.Terminal(t, clitest.ScreenColumns)
	read := clitest.ReadScreen(person)
	there, back := translators(places)
	std := term.IO{In: strings.NewReader(""), Out: command, Err: command}
	for _, line := range lines {
		_, _ = command.WriteString("$ digate " + line + "\n")
		run(t.Context(), strings.Fields(there.Replace(line)), std)
	}
	if _, err := command.WriteString(clitest.EndOfScreen); err != nil {
		t.Fatal(err)
	}
	seen := strings.ReplaceAll(await.Value(t, read, "the end of the screen"), "\r\n", "\n")
	if strings.Contains(seen, "hunter2") {
		t.Errorf("a secret was shown:\n%s", seen)
	}
	return withoutDefault(back.Replace(seen))
}

// What people see who do as the README and docs/cli.md say.
func TestScreens_FirstTenMinutes(t *testing.T) {
	addr, _ := stand(t)
	t.Setenv("DIGATE_ADDR", addr)
	const tool = "83dbdaea-d47f-4d79-a2b5-b013d3eff6ca"
	const shopify, id = "b05c7a92-3e1f-4d68-a7c9-6d84f12e50b3", "15aab6de-fdd0-460a-952f-123f300f554e"
	places := []place{{client.DefaultAddr, addr}, {"key.txt", clitest.WriteFile(t, "key.txt", clitest.APIKey)}}
	for _, screen := range []struct {
		name  string
		lines []string
	}{
		{"templates", []string{"templates list --language en", "templates get " + shopify, "templates get " + shopify + " --csv"}},
		{"copy-dry-run", []string{"copy " + shopify + " --dry-run --var shopp=north"}},
		{"copy-unfinished", []string{"copy " + shopify + " --name north"}},
		{"copy-finished", []string{"copy " + shopify + " --name south --var shop=south --api-key-file key.txt"}},
		{"tools", []string{"tools list " + id, "tools approve " + id + " " + tool}},
		{"integrations", []string{"integrations list", "integrations update " + id + " --base-url https://north.example"}},
		{"integrations-delete", []string{"integrations delete " + id, "integrations delete " + id + " --yes", "integrations get " + id}},
	} {
		seen := sessionAtTerminal(t, screen.lines, places...)
		clitest.Screen(t, screen.name, anyTime.ReplaceAllString(seen, "2026-11-29T12:00:00Z"))
	}
}

func TestScreens_Help(t *testing.T) {
	clitest.Scroll(t, "help", sessionAtTerminal(t, []string{"--help"}))
	clitest.Scroll(t, "help-copy", sessionAtTerminal(t, []string{"copy --help"}))
	clitest.Scroll(t, "help-bulk", sessionAtTerminal(t, []string{"bulk --help"}))
	clitest.Scroll(t, "help-emulator", sessionAtTerminal(t, []string{"emulator --help"}))
}
