package docs

import (
	"fmt"
	"maps"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// goImports are the packages that the pages' Go may use.
var goImports = map[string]string{
	"context": "context", "testing": "testing", "os": "os", "httptest": "net/http/httptest",
	"grpc": "google.golang.org/grpc", "insecure": "google.golang.org/grpc/credentials/insecure", "metadata": "google.golang.org/grpc/metadata",
	"integrationv1": "github.com/digate/digate/gen/diga/integration/v1", "emulator": "github.com/digate/digate/server/emulator",
	"emulatortest": "github.com/digate/digate/server/emulator/emulatortest", "time": "time",
}

var (
	aPackage     = regexp.MustCompile(`\b([a-z][a-z0-9]*)\.[A-Z]`)
	aDeclaration = regexp.MustCompile(`(?m)^([a-z, ]+) := `)
)

// goProgram returns a program with the lines of a block in a function. The
// parameters are what the pages leave to the reader.
func goProgram(block string) string {
	const head = "func _(t *testing.T, ctx context.Context, token, id, addr string, creds grpc.DialOption) {\n"
	used := make(map[string]bool)
	for _, m := range aPackage.FindAllStringSubmatch(head+block, -1) {
		if goImports[m[1]] != "" {
			used[m[1]] = true
		}
	}
	var b strings.Builder
	b.WriteString("package main\n")
	for _, name := range slices.Sorted(maps.Keys(used)) {
		fmt.Fprintf(&b, "import %s %q\n", name, goImports[name])
	}
	b.WriteString("func main() {}\n" + head + block)
	for _, m := range aDeclaration.FindAllStringSubmatch(block, -1) {
		for name := range strings.SplitSeq(m[1], ",") {
			b.WriteString("_ = " + strings.TrimSpace(name) + "\n")
		}
	}
	b.WriteString("}\n")
	return b.String()
}

func TestExamples_GoCompiles(t *testing.T) {
	t.Parallel()
	var files []string
	dir := t.TempDir()
	for _, p := range pages(t) {
		for _, b := range p.blocks {
			if b.language != "go" || excerpt.MatchString(b.before) {
				continue
			}
			file := fmt.Sprintf("%s/block%d.go", dir, len(files))
			(&shell{dir: dir}).write(t, fmt.Sprintf("block%d.go", len(files)), goProgram(b.text))
			files = append(files, file)
			cmd := exec.Command("go", "vet", file)
			cmd.Dir = root
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s, line %d: %v\n%s", p.path, b.line, err, out)
			}
		}
	}
	if len(files) < 3 {
		t.Errorf("the pages have only %d blocks of Go", len(files))
	}
}
