package server_test

import (
	"bytes"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/digate/digate/"

// layers are the packages from the top down; each may import what stands below
// it, and nothing beside or above.
var layers = [][]string{
	{"docs", "cmd/digate", "test/soak", "test/crash", "bench/bulk", "examples/go", "test/rig"},
	{"cmd/digate/internal/bulk", "cmd/digate/internal/doctor", "cmd/digate/internal/complete", "cmd/digate/internal/clitest"},
	{"cmd/digate/internal/client"},
	{"cmd/digate/internal/term"},
	{"cmd/digate/internal/file"},
	{"server"},
	{"server/config", "server/integration", "server/gateway", "server/authn/passthrough", "server/telemetry", "server/emulator", "server/inproc"},
	{"server/ledger/backend", "server/ledgerservice", "server/authn"},
	{"server/copies"},
	{"server/ledger/memory", "server/ledger/sqlite", "server/ledger/postgres", "server/ledger/postgres/pgtest", "server/ledger/ledgertest"},
	{"server/upstream", "server/ledger"},
	{"server/upstream/admission", "server/contract", "server/validate"},
	{"server/upstream/wire", "server/digajson", "server/apierror"},
	{"server/digajson/internal/lex"},
	{"server/exchange", "server/secret", "internal/durable", "internal/need"},
	{"gen/diga/integration/v1", "gen/digate/annotations/v1", "gen/digate/v1"},
}

// The imports of every package point down, so that each can be read without
// what is built on it.
func TestImports_PointDown(t *testing.T) {
	layer := make(map[string]int)
	for i, names := range layers {
		for _, name := range names {
			layer[name] = i
		}
	}
	for name, deps := range dependencies(t) {
		above, known := layer[name]
		if !known {
			t.Errorf("%s: give it a place among the layers", name)
			continue
		}
		for _, dep := range deps {
			if below, known := layer[dep]; !known || below < above || below == above && !strings.HasPrefix(name, "gen/") {
				t.Errorf("%s imports %s, which is not below it", name, dep)
			}
			if name == "server/emulator" {
				t.Errorf("the emulator imports %s: it may share nothing with what it tests", dep)
			}
			if name == "server/gateway" && (dep == "server/integration" || dep == "server/upstream") {
				t.Errorf("the gateway imports %s", dep)
			}
			if strings.HasPrefix(name, "gen/") && !strings.HasPrefix(dep, "gen/") {
				t.Errorf("%s imports %s", name, dep)
			}
		}
	}
}

// What only tests and tools need stays out of the binary.
func TestImports_BinaryHasNoTestOrToolDependency(t *testing.T) {
	out := goList(t, "-deps", "../cmd/digate")
	for dep := range strings.FieldsSeq(out) {
		for _, banned := range []string{"testing", "net/http/httptest", "go.uber.org/goleak", "github.com/bufbuild/buf", "cel.dev/", "buf.build/go/protovalidate"} {
			if dep == banned || strings.HasSuffix(banned, "/") && strings.HasPrefix(dep, banned) {
				t.Errorf("the binary depends on %s", dep)
			}
		}
	}
	if !strings.Contains(out, "google.golang.org/grpc\n") {
		t.Error("the list is not that of the binary")
	}
}

// Settings are read by commands that open no ledger, so the database drivers stay
// with the composition.
func TestImports_ConfigHasNoDatabaseDriver(t *testing.T) {
	for dep := range strings.FieldsSeq(goList(t, "-deps", "./config")) {
		if strings.HasPrefix(dep, "github.com/jackc/") || strings.HasPrefix(dep, "modernc.org/") || dep == "database/sql" {
			t.Errorf("server/config depends on %s", dep)
		}
	}
}

// dependencies are the packages of this module and what each needs of it,
// directly or not.
func dependencies(t *testing.T) map[string][]string {
	t.Helper()
	out := goList(t, "-f", `{{.ImportPath}}{{range .Deps}} {{.}}{{end}}`, "../...")
	deps := make(map[string][]string)
	for line := range strings.Lines(out) {
		all := strings.Fields(line)
		name := strings.TrimPrefix(all[0], module)
		deps[name] = []string{}
		for _, dep := range all[1:] {
			if own, ok := strings.CutPrefix(dep, module); ok {
				deps[name] = append(deps[name], own)
			}
		}
		slices.Sort(deps[name])
	}
	if len(deps) < 10 {
		t.Fatalf("only %d packages found: %s", len(deps), out)
	}
	return deps
}

func goList(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list"}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	return string(out)
}
