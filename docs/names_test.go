package docs

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/digate/digate/internal/need"
)

// foreignFlags are flags of other programs that pages mention.
var foreignFlags = []string{"data-binary", "help", "tags", "clean", "if-exists", "exit-on-error", "dbname", "format", "table", "file",
	"check", "unit", "now", "follow", "read-only", "cap-drop", "memory", "env", "stop-timeout", "publish", "namespace", "from-literal", "cert", "key", "kustomize", "cacert", "unix-socket", "fail-with-body", "enable-feature", "python"}

var (
	flagName    = regexp.MustCompile(`(?:^|[^\w-])--([a-z][a-z0-9-]*)`)
	environment = regexp.MustCompile(`\bDIGATE_[A-Z0-9_]+\b`)
	makeTarget  = regexp.MustCompile(`(?:^|\s)make ([a-z][a-z-]*)`)
	target      = regexp.MustCompile(`(?m)^([a-z][a-z-]*):`)
)

// flagProblems names the flags, environment variables and commands in a page
// that digate does not have. Flags are by command.
func flagProblems(p page, flags map[string][]string) []string {
	var all, problems []string
	for _, names := range flags {
		all = append(all, names...)
	}
	known := append(slices.Clone(foreignFlags), all...)
	text := p.prose
	for _, b := range p.blocks {
		if !anExample.MatchString(p.path) && !excerpt.MatchString(b.before) { // their commands are those of their language
			text += b.text
		}
	}
	for _, m := range flagName.FindAllStringSubmatch(text, -1) {
		if !slices.Contains(known, m[1]) {
			problems = append(problems, "--"+m[1])
		}
	}
	for _, name := range environment.FindAllString(text, -1) {
		flag := strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(name, "DIGATE_")), "_", "-")
		if name != "DIGATE_TOKEN" && name != need.Variable && !slices.Contains(all, flag) {
			problems = append(problems, name)
		}
	}
	for _, code := range p.code() {
		for _, call := range strings.Split(" "+code, "digate ")[1:] {
			words := strings.Fields(call)
			command := ""
			for n := min(2, len(words)); n > 0 && command == ""; n-- {
				if name := strings.Join(words[:n], " "); flags[name] != nil {
					command = name
				}
			}
			if command == "" {
				continue
			}
			for _, m := range flagName.FindAllStringSubmatch(call, -1) {
				if m[1] != "help" && !slices.Contains(flags[command], m[1]) {
					problems = append(problems, "digate "+command+" --"+m[1])
				}
			}
		}
	}
	return problems
}

func TestPages_EveryFlagAndVariable_IsOneOfDigates(t *testing.T) {
	t.Parallel()
	flags := make(map[string][]string)
	for _, command := range commands(t) {
		for _, o := range options(t, command) {
			flags[command] = append(flags[command], o.name)
		}
	}
	for _, p := range pages(t) {
		if p.history() || p.foreign() {
			continue
		}
		for _, problem := range flagProblems(p, flags) {
			t.Errorf("%s: there is no %s", p.path, problem)
		}
	}
}

func TestFlagProblems_NamesEachKind(t *testing.T) {
	t.Parallel()
	flags := map[string][]string{"serve": {"http-addr"}, "ledger show": {"addr"}}
	p := parse("`--http-addr`, `--nowhere` and DIGATE_HTTP_ADDR, DIGATE_NOWHERE, DIGATE_TOKEN\n\n" +
		"    digate serve --http-addr x\n    digate ledger show \\\n      --http-addr x\n    digate serve --addr x\n")
	got := flagProblems(p, flags)
	want := []string{"--nowhere", "DIGATE_NOWHERE", "digate ledger show --http-addr", "digate serve --addr"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestPages_EveryMakeTarget_IsInTheMakefile(t *testing.T) {
	t.Parallel()
	makefile, err := os.ReadFile("../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	var targets []string
	for _, m := range target.FindAllStringSubmatch(string(makefile), -1) {
		targets = append(targets, m[1])
	}
	checked := 0
	for _, p := range pages(t) {
		if p.history() || p.foreign() {
			continue
		}
		for _, code := range p.code() {
			for _, m := range makeTarget.FindAllStringSubmatch(code, -1) {
				if checked++; !slices.Contains(targets, m[1]) {
					t.Errorf("%s: the Makefile has no target %s", p.path, m[1])
				}
			}
		}
	}
	if checked < 5 {
		t.Errorf("only %d targets were checked", checked)
	}
}

func TestPages_EveryCommand_IsInOne(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	for _, p := range pages(t) {
		for _, code := range p.code() {
			text.WriteString(code + "\n")
		}
	}
	for _, command := range commands(t) {
		// `digate ledger show ID`, `resolve ID` names a second command by its verb.
		noun, verb, two := strings.Cut(command, " ")
		if !strings.Contains(text.String(), "digate "+command) && !(two && strings.Contains(text.String(), "digate "+noun) && strings.Contains(text.String(), "\n"+verb+" ID")) {
			t.Errorf("no page has digate %s", command)
		}
	}
}
