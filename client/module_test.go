package client_test

import (
	"archive/zip"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const (
	clientModule = "github.com/digate/digate/client/go"
	serverModule = "github.com/digate/digate"
	// database is a module that both the server and callers may require.
	database = "github.com/jackc/pgx/v5"
	// version and oldDatabase are the versions that a test publishes.
	version     = "v0.0.1"
	oldDatabase = "v5.0.1"
)

// A program that calls digate from Go gets gRPC and protobuf with the client module, and
// nothing that only the server needs. Versions of what it has besides stay as they are.
func TestGoModule_Importer_GetsNothingOfTheServers(t *testing.T) {
	t.Parallel()
	p := newProxy(t)
	p.publish(t, clientModule, version, "go")
	p.publish(t, database, oldDatabase, p.source(t, map[string]string{"go.mod": "module " + database + "\n\ngo 1.21\n", "pgx.go": "package pgx\n"}))
	importer := p.source(t, map[string]string{
		"go.mod": "module importer\n\ngo 1.26.0\n\nrequire (\n\t" + clientModule + " " + version + "\n\t" + database + " " + oldDatabase + "\n)\n",
		"main.go": `package main

import (
	"fmt"

	_ "` + database + `"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	integrationv1 "` + clientModule + `/diga/integration/v1"
	digatev1 "` + clientModule + `/digate/v1"
)

func main() {
	_ = integrationv1.NewIntegrationServiceClient
	_ = digatev1.NewLedgerServiceClient
	protoregistry.GlobalFiles.RangeFiles(func(fd protoreflect.FileDescriptor) bool {
		fmt.Println(fd.Path())
		return true
	})
}
`,
	})
	p.run(t, importer, "mod", "tidy")

	text, err := os.ReadFile(filepath.Join(importer, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	var required []string
	for _, m := range regexp.MustCompile(`(?m)^\s+(\S+) v\S+`).FindAllStringSubmatch(string(text), -1) {
		required = append(required, m[1])
	}
	slices.Sort(required)
	if want := []string{
		clientModule, database, "golang.org/x/net", "golang.org/x/sys", "golang.org/x/text", "google.golang.org/genproto/googleapis/rpc",
		"google.golang.org/grpc", "google.golang.org/protobuf",
	}; !slices.Equal(required, want) {
		t.Errorf("the importer requires %v, want %v", required, want)
	}
	if !strings.Contains(string(text), database+" "+oldDatabase+"\n") {
		t.Errorf("the importer's %s is another than before:\n%s", database, text)
	}
	sums, err := os.ReadFile(filepath.Join(importer, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	for _, module := range []string{serverModule + " ", "grpc-gateway", "protovalidate", "prometheus", "sqlite", "opentelemetry.io/otel/sdk v"} {
		for line := range strings.Lines(string(sums)) {
			if strings.Contains(line, module) && !strings.Contains(line, "/go.mod ") {
				t.Errorf("the importer downloads %s", line)
			}
		}
	}

	files := strings.Fields(p.run(t, importer, "run", "-trimpath", "."))
	for _, name := range files {
		if !strings.HasPrefix(name, "diga/integration/v1/") && !strings.HasPrefix(name, "google/protobuf/") && !strings.HasPrefix(name, "grpc/") && name != "digate/v1/ledger_service.proto" && name != "google/rpc/status.proto" {
			t.Errorf("the importer registers %s", name)
		}
	}
	if !slices.Contains(files, "diga/integration/v1/integration_service.proto") {
		t.Errorf("the importer registers only %v", files)
	}
}

// A program that imports the server's module gets at least the server's versions of all
// that it has in common with it. So callers are told to take the client module.
func TestGoModule_ImporterOfTheServers_GetsItsVersions(t *testing.T) {
	t.Parallel()
	p := newProxy(t)
	text, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	ours := regexp.MustCompile(`(?m)^\s+` + regexp.QuoteMeta(database) + ` (v\S+)`).FindStringSubmatch(string(text))
	if ours == nil {
		t.Fatalf("the server does not require %s", database)
	}
	p.publish(t, serverModule, version, p.source(t, map[string]string{"go.mod": string(text)}))
	p.publish(t, database, oldDatabase, p.source(t, map[string]string{"go.mod": "module " + database + "\n\ngo 1.21\n"}))
	importer := p.source(t, map[string]string{
		"go.mod": "module importer\n\ngo 1.26.0\n\nrequire (\n\t" + serverModule + " " + version + "\n\t" + database + " " + oldDatabase + "\n)\n",
	})
	if got := strings.Split(p.run(t, importer, "list", "-m", "all"), "\n"); !slices.Contains(got, database+" "+ours[1]) {
		t.Errorf("the importer has not the server's %s %s: %v", database, ours[1], got)
	}
}

// `go install …@version` refuses a module that replaces or excludes others.
func TestGoModule_Servers_CanBeInstalledByItsVersion(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"../go.mod", "go/go.mod"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if found := regexp.MustCompile(`(?m)^(replace|exclude)\b.*`).FindString(string(text)); found != "" {
			t.Errorf("%s: %s", file, found)
		}
	}
}

// proxy is a Go module proxy with a test's modules, in front of those that this machine
// has downloaded. What a module is downloaded to goes with the test.
type proxy struct{ folder string }

func newProxy(t *testing.T) *proxy {
	t.Helper()
	return &proxy{folder: t.TempDir()}
}

// source writes the files of a module into a folder of their own.
func (p *proxy) source(t *testing.T, files map[string]string) string {
	t.Helper()
	folder := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// publish makes a folder a module of the proxy.
func (p *proxy) publish(t *testing.T, module, version, folder string) {
	t.Helper()
	at := filepath.Join(p.folder, filepath.FromSlash(module), "@v")
	if err := os.MkdirAll(at, 0o700); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(folder, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"list": version + "\n", version + ".info": `{"Version":"` + version + `"}`, version + ".mod": string(text)} {
		if err := os.WriteFile(filepath.Join(at, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, err := os.Create(filepath.Join(at, version+".zip"))
	if err != nil {
		t.Fatal(err)
	}
	archive := zip.NewWriter(out)
	source := os.DirFS(folder)
	err = fs.WalkDir(source, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := fs.ReadFile(source, path)
		if err != nil {
			return err
		}
		w, err := archive.Create(module + "@" + version + "/" + path)
		if err != nil {
			return err
		}
		_, err = w.Write(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}

// run runs the go command in a module's folder, as on a machine that has no workspace,
// and returns what it prints.
func (p *proxy) run(t *testing.T, folder string, args ...string) string {
	t.Helper()
	env := strings.Fields(goEnv(t, "GOMODCACHE") + "\n" + goEnv(t, "GOPROXY"))
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod -modcacherw", "GONOSUMDB=*", "GOSUMDB=off", "GOTOOLCHAIN=local",
		"GOMODCACHE="+filepath.Join(p.folder, "cache"),
		"GOPROXY=file://"+filepath.ToSlash(p.folder)+",file://"+filepath.ToSlash(filepath.Join(env[0], "cache", "download"))+","+env[1])
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, complaint.String())
	}
	return string(out)
}

func goEnv(t *testing.T, name string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "env", name).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}
