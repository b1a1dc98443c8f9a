package server_test

import (
	"bytes"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/digate/digate/"

// layers are the packages from the top down. A package may import packages of
// lower layers only.
var layers = [][]string{
	{"docs", "deploy", "deploy/release", "cmd/digate", "test/soak", "test/crash", "test/rolling", "test/abuse", "test/abuse/bare", "test/clients", "test/browser", "test/examples", "test/conformance", "test/schemathesis", "test/fuzz", "bench/bulk", "bench/admission", "examples/emulator", "server/openapi/generate", "server/openapi/viewer/update"},
	{"cmd/digate/internal/bulk", "cmd/digate/internal/doctor", "cmd/digate/internal/complete", "cmd/digate/internal/man", "cmd/digate/internal/clitest"},
	{"cmd/digate/internal/client", "test/rig"},
	{"cmd/digate/internal/term"},
	{"cmd/digate/internal/file"},
	{"server"},
	{"server/config", "server/web", "server/emulator/emulatortest"},
	{"server/integration", "server/gateway", "server/authn/passthrough", "server/authn/service", "server/authn/claim", "server/telemetry", "server/emulator", "server/inproc", "server/intake", "server/connections", "server/access", "server/openapi/viewer"},
	{"server/ledger/backend", "server/ledgerservice", "server/authn", "server/authn/jwt", "server/authn/clientcert"},
	{"server/copies", "server/contractwatch", "server/accounts"},
	{"server/ledger/watch", "server/ledger/former", "server/ledger/listing", "server/ledger/memory", "server/ledger/sqlite", "server/ledger/postgres", "server/ledger/postgres/pgtest", "server/ledger/ledgertest"},
	{"server/upstream", "server/responsesize", "server/status", "server/openapi", "server/clientcontract", "server/ledger", "server/contract/surface"},
	{"server/telemetry/export", "server/telemetry/export/exporttest", "server/upstream/admission", "server/contract", "server/validate", "server/canonical", "server/contract/contracttest"},
	{"server/certs/certstest"},
	{"server/certs", "server/certs/authority", "server/audit"},
	{"server/upstream/wire", "server/digajson", "server/apierror", "server/setting", "server/exchange/exchangetest"},
	{"server/digajson/internal/lex", "server/gostruct", "server/httpbody", "server/static", "server/nearjson", "server/preview"},
	{"server/exchange", "server/deadline", "server/prefer", "server/secret", "server/stack", "server/streams", "server/budget", "server/logqueue", "server/loglevel", "server/handshake", "server/handover", "server/httpserver", "server/lifecycle", "server/stall", "server/socket", "server/systemd", "internal/durable", "internal/need", "internal/spelling", "test/await"},
	{"server/tracing", "server/callers", "server/fairshare", "client"},
	{"gen/diga/integration/v1", "test/conformance/gen/connectrpc/conformance/v1", "gen/digate/annotations/v1", "gen/digate/v1", "server/peers"},
}

// Imports point down, so that a package can be read without the packages that are
// built on it.
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
			t.Errorf("%s is in no layer: give it a place in layers above", name)
			continue
		}
		for _, dep := range deps {
			if below, known := layer[dep]; !known || below < above || below == above && !strings.HasPrefix(name, "gen/") {
				t.Errorf("%s imports %s, which is not below it", name, dep)
			}
			if name == "server/emulator" {
				t.Errorf("the emulator imports %s: it may share nothing with what it tests", dep)
			}
			if name == "server/emulator/emulatortest" && dep != "server/emulator" {
				t.Errorf("tests of others that use the emulator would import %s", dep)
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

// The binary has no code that only tests and tools need.
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
		t.Error("the list is not that of the binary: it lacks grpc")
	}
}

// Commands that open no ledger read the settings too, so package config must not
// bring the database drivers with it. Settings are plain structs, so the parser of
// the command line stays with the command.
func TestImports_ConfigHasNoDatabaseDriverAndNoParser(t *testing.T) {
	for dep := range strings.FieldsSeq(goList(t, "-deps", "./config")) {
		if strings.HasPrefix(dep, "github.com/jackc/") || strings.HasPrefix(dep, "modernc.org/") || dep == "database/sql" ||
			strings.HasPrefix(dep, "github.com/alecthomas/kong") {
			t.Errorf("server/config depends on %s", dep)
		}
	}
}

// A team that tests with the emulator gets the reader of YAML with it, and no other module.
func TestImports_EmulatorBringsNoOtherModuleThanYAML(t *testing.T) {
	out := goList(t, "-deps", "-f", `{{if not .Standard}}{{.ImportPath}}{{end}}`, "./emulator/emulatortest")
	for dep := range strings.FieldsSeq(out) {
		if !strings.HasPrefix(dep, module) && dep != "go.yaml.in/yaml/v3" {
			t.Errorf("the emulator depends on %s", dep)
		}
	}
	if !strings.Contains(out, "server/emulator\n") {
		t.Errorf("the list is not that of the emulator: %s", out)
	}
}

// dependencies returns the packages of this module, each with all packages of the
// module that it needs, directly or not.
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
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list"}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	return string(out)
}
