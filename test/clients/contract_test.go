package clients

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/digate/digate/internal/need"
)

// Python generates the contract for callers with the protoc that Debian 12 has, and loads
// it without the types that only digate's own contract needs.
func TestContract_PythonOfProtoc_LoadsWithoutTheTypesOfTheServer(t *testing.T) {
	t.Parallel()
	if !*run {
		t.Skip("make clients runs it")
	}
	generated := t.TempDir()
	sources := filepath.Join("..", "..", "client", "proto")
	var files []string
	for _, pattern := range []string{"diga/integration/v1/*.proto", "digate/v1/*.proto"} {
		found, err := filepath.Glob(filepath.Join(sources, filepath.FromSlash(pattern)))
		if err != nil || len(found) == 0 {
			t.Fatal(pattern, err)
		}
		files = append(files, found...)
	}
	protoc := exec.CommandContext(t.Context(), need.Program(t, "protoc"), append([]string{"-I", sources, "--python_out", generated}, files...)...)
	if out, err := protoc.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", protoc, err, out)
	}
	load := python(t)
	load.Args = []string{load.Args[0], "-c", `
import sys
sys.path.insert(0, sys.argv[1])
from diga.integration.v1 import integration_service_pb2
from digate.v1 import ledger_service_pb2
request = integration_service_pb2.CopyTemplateRequest.FromString(
    integration_service_pb2.CopyTemplateRequest(template_id="x").SerializeToString())
print(request.template_id, len(ledger_service_pb2.DESCRIPTOR.services_by_name))
for name in sorted(sys.modules):
    if name.startswith(("buf.", "digate.annotations", "google.api")):
        print("loaded", name)
`, generated}
	out, err := load.CombinedOutput()
	if got := strings.TrimSpace(string(out)); err != nil || got != "x 1" {
		t.Errorf("%v: %s", err, got)
	}
}
