package main

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/clitest"
	"github.com/digate/digate/internal/need"
)

// completions returns the values that are offered for the last word of a line.
func completions(t *testing.T, words ...string) []string {
	t.Helper()
	got := digate(t, append([]string{"__complete", "--"}, words...)...)
	if got.Code != client.ExitDone || got.Err != "" {
		t.Fatalf("%+v", got)
	}
	var values []string
	for line := range strings.Lines(got.Out) {
		value, _, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		values = append(values, value)
	}
	return values
}

func TestComplete_CommandsFlagsAndValues(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"te":                            "templates",
		"templates ":                    "list get",
		"integrations ":                 "list get update delete",
		"tools a":                       "approve",
		"--config x.yaml tools a":       "approve",
		"completion ":                   "bash zsh fish",
		"completion bash ":              "",
		"nonsense ":                     "dev serve emulator doctor templates copy bulk ledger integrations tools config accounts explain contract completion version",
		"explain OUT":                   "OUTCOME_UNKNOWN",
		"version ":                      "",
		"templates list --l":            "--language --limit",
		"templates list --limit 3 --l":  "--language",
		"copy --va":                     "--var --var-file --var-json",
		"copy --var a=b --va":           "--var --var-file --var-json",
		"integrations list --order ":    "asc desc",
		"integrations list --order=d":   "--order=desc",
		"integrations list --type ":     "HTTP MCP",
		"integrations list -o ":         "text json",
		"integrations update --clear n": "name",
		"copy --name --addr --out":      "--output",
		"copy --token-file ":            ":files",
		"copy --token-file=x":           ":files",
		"copy --name ":                  "",
		"copy --nothing=":               "",
		"copy -- --":                    "",
		"__":                            "",
	} {
		if got := strings.Join(completions(t, strings.Split(line, " ")...), " "); got != want {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
	for _, args := range [][]string{{}, {"--"}, {"copy", ""}} {
		if got := digate(t, append([]string{"__complete"}, args...)...); got.Code != client.ExitDone || got.Out+got.Err != "" {
			t.Errorf("%v: %+v", args, got)
		}
	}
}

// Whatever --help lists can be completed.
func TestComplete_EveryCommandAndFlag_IsOffered(t *testing.T) {
	t.Parallel()
	parser, err := newParser(t.Context(), new(cli), discard, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	var look func(node *kong.Node)
	look = func(node *kong.Node) {
		line := strings.Fields(node.FullPath())[1:]
		flags := completions(t, append(line, "--")...)
		for _, group := range node.AllFlags(true) {
			for _, f := range group {
				if !slices.Contains(flags, "--"+f.Name) {
					t.Errorf("%q: no --%s", line, f.Name)
				}
			}
		}
		if len(node.Children) == 0 {
			return
		}
		commands := completions(t, append(line, "")...)
		for _, child := range node.Children {
			if slices.Contains(commands, child.Name) == child.Hidden {
				t.Errorf("%q: %s, hidden %t", line, child.Name, child.Hidden)
			}
			look(child)
		}
	}
	look(parser.Model.Node)
}

func TestComplete_Ids_AreThoseOfTheServer(t *testing.T) {
	addr, e := stand(t)
	id := copied(t, addr, clitest.TemplateID, "--name", "Shop\twith\ntabs")
	var tools []string
	for _, x := range e.Integrations(clitest.Token)[0].Tools {
		tools = append(tools, x.ID)
	}
	if got := digate(t, "__complete", "--", "integrations", "get", "--addr", addr, ""); got.Out != id+"\tShop with tabs\n" {
		t.Errorf("%+v", got)
	}
	if got := digate(t, "__complete", "--", "copy", "--addr", addr, "3c"); got.Out != clitest.TemplateID+"\tShopify: pedidos y productos\n" {
		t.Errorf("%+v", got)
	}
	for _, row := range []struct {
		words []string
		want  []string
	}{
		{[]string{"integrations", "delete", "--addr=" + addr, "-y", ""}, []string{id}},
		{[]string{"integrations", "delete", "--addr", `"` + addr + `"`, "--", ""}, []string{id}},
		{[]string{"integrations", "delete", "--addr", addr, id, ""}, nil},
		{[]string{"integrations", "update", "--name", "x", "--addr", addr, ""}, []string{id}},
		{[]string{"integrations", "list", "--addr", addr, "--after", ""}, []string{id}},
		{[]string{"integrations", "list", "--addr", addr, "--before=" + id[:2]}, []string{"--before=" + id}},
		{[]string{"tools", "list", "--addr", addr, ""}, []string{id}},
		{[]string{"tools", "list", "--addr", addr, id, "--after", ""}, tools},
		{[]string{"tools", "list", "--addr", addr, "--after", ""}, nil},
		{[]string{"tools", "approve", "--addr", addr, ""}, []string{id}},
		{[]string{"tools", "approve", "--addr", addr, id, ""}, tools},
		{[]string{"tools", "approve", "--addr", addr, id, tools[0], ""}, tools[1:]},
		{[]string{"tools", "approve", "--addr", addr, clitest.NoTemplate, ""}, nil},
		{[]string{"templates", "list", "--addr", addr, "--language", "en", "--after", "b05"}, []string{"b05c7a92-3e1f-4d68-a7c9-6d84f12e50b3"}},
	} {
		got := completions(t, row.words...)
		slices.Sort(got)
		want := slices.Sorted(slices.Values(row.want))
		if !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", row.words, got, want)
		}
	}
	t.Setenv("DIGATE_ADDR", addr)
	t.Setenv("DIGATE_LANGUAGE", "en")
	t.Setenv("DIGATE_PAGE", "7") // is about pages that people ask for
	if got := completions(t, "copy", "b05"); len(got) != 1 {
		t.Errorf("%q", got)
	}
	if err := os.Unsetenv("DIGATE_ADDR"); err != nil { // until the test's end
		t.Fatal(err)
	}
	file := clitest.WriteFile(t, "digate.yaml", "addr: "+addr)
	if got := completions(t, "integrations", "get", "--config", file, ""); !slices.Equal(got, []string{id}) {
		t.Errorf("%q", got)
	}
}

func TestComplete_ManyPages_AreFollowed(t *testing.T) {
	addr, _ := stand(t)
	const many = 101 // more than a page
	for range many {
		copied(t, addr, "e3f49a60-17d8-4b2c-9e75-08c6b4d1f3a7")
	}
	if got := completions(t, "integrations", "get", "--addr", addr, ""); len(got) != many {
		t.Errorf("%d ids", len(got))
	}
}

func TestComplete_NoResponse_IsSilentAndSoon(t *testing.T) {
	t.Setenv("DIGATE_TOKEN", clitest.Token)
	mute, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = mute.Close() }()
	h := newHeld(t) // holds its responses back
	slow := facade(t, h.url)
	for name, args := range map[string][]string{
		"nobody":           {"--addr", "127.0.0.1:1"},
		"mute":             {"--addr", mute.Addr().String()},
		"no response":      {"--addr", slow},
		"no address":       {"--addr", "::::"},
		"no file":          {"--addr", "127.0.0.1:1", "--token-file", "/nonexistent"},
		"no settings":      {"--addr", "127.0.0.1:1", "--config", "/nonexistent"},
		"flag without use": {"--addr", "127.0.0.1:1", "--timeout", "never"},
	} {
		begun := time.Now()
		if got := completions(t, append(append([]string{"copy"}, args...), "")...); got != nil {
			t.Errorf("%s: %q", name, got)
		}
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("%s: took %v", name, took)
		}
	}
	h.release()
	t.Setenv("DIGATE_TOKEN", "")
	if got := completions(t, "copy", "--addr", slow, ""); got != nil {
		t.Errorf("no token: %q", got)
	}
}

// inShell runs a script in a shell that finds a built digate in its PATH. It skips
// the test where there is no such shell.
func inShell(t *testing.T, load []string, script string) string {
	t.Helper()
	need.Program(t, load[0])
	cmd := exec.CommandContext(t.Context(), load[0], append(load[1:], script)...)
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(binary(t))+string(os.PathListSeparator)+os.Getenv("PATH"))
	cmd.Dir = filepath.Dir(clitest.WriteFile(t, "some file", ""))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

func TestCompletion_Bash_CompletesInBash(t *testing.T) {
	addr, _ := stand(t)
	id := copied(t, addr, clitest.TemplateID, "--name", "Shop")
	// The words stand as bash splits them: at = and : as well.
	out := inShell(t, []string{"bash", "--norc", "-c"}, `source <(digate completion bash)
complete -p digate
t() {
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_TYPE=${type:-9} COMPREPLY=(stale)
    _digate
    echo "> ${COMPREPLY[*]}"
}
t digate te
t digate integrations list --type = ''
t digate integrations list --type =
t digate integrations list --type = M
t digate integrations list --order d
t digate copy --addr 127.0.0.1 : `+addr[len("127.0.0.1:"):]+` 3c
t digate integrations get --addr = 127.0.0.1 : `+addr[len("127.0.0.1:"):]+` ''
t digate templates ''
type=37 t digate templates ''
t digate copy --addr 127.0.0.1 : 1 ''
t digate copy --token-file ''
`)
	want := `complete -F _digate digate
> templates
> HTTP MCP
> HTTP MCP
> MCP
> desc
> ` + clitest.TemplateID + `
> ` + id + `
> list  (List the templates of one language.) get  (Show one template, with the placeholders it has.)
> list get
> 
> 
`
	if out != want {
		t.Errorf("got\n%s\nwant\n%s", out, want)
	}
}

func TestCompletion_Fish_CompletesInFish(t *testing.T) {
	addr, _ := stand(t)
	id := copied(t, addr, clitest.TemplateID, "--name", "Shop")
	out := inShell(t, []string{"fish", "--no-config", "-c"}, `digate completion fish | source
complete -C "digate te"
complete -C "digate integrations list --type=M"
complete -C "digate integrations update --name 'a b' --addr='`+addr+`' "
complete -C "digate copy --token-file so"
complete -C "digate copy --token-file=so"
`)
	for _, want := range []string{"templates\tFind a template", "--type=MCP\n", id + "\tShop\n", "some file", "--token-file=some file"} {
		if !strings.Contains(strings.ReplaceAll(out, `\ `, " "), want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

func TestCompletion_Zsh_CompletesInZsh(t *testing.T) {
	addr, _ := stand(t)
	id := copied(t, addr, clitest.TemplateID, "--name", "Shop: two")
	// What the script gives to the shell, without the shell's own machinery.
	out := inShell(t, []string{"zsh", "-f", "-c"}, `compdef() { echo "compdef $*" }
_describe() { print -l -- "${(@P)argv[-1]}" }
_files() { echo files }
compset() { : }
source <(digate completion zsh)
t() { words=("$@") CURRENT=$#; _digate }
t digate te
t digate integrations list --type=M
t digate integrations get --addr `+addr+` ''
t digate copy --token-file ''
`)
	want := "compdef _digate digate\ntemplates:Find a template, through a running digate.\n--type=MCP\n" + id + ":Shop: two\nfiles\n"
	if out != want {
		t.Errorf("got\n%s\nwant\n%s", out, want)
	}
}

func TestCompletion_Script_NamesTheProgram(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"bash", "zsh", "fish"} {
		got := digate(t, "completion", name)
		if got.Code != client.ExitDone || strings.Contains(got.Out, "@DIGATE@") || !strings.Contains(got.Out, "digate __complete -- ") {
			t.Errorf("%+v", got)
		}
	}
}
