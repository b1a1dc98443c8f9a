package clients

import (
	"os"
	"strings"
	"testing"
)

// The page names the versions that the drivers have.
func TestMeshes_NamesTheVersionsThatAreTried(t *testing.T) {
	page, err := os.ReadFile("../../docs/meshes.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, pin := range []struct{ row, file, before string }{
		{"| grpcio (Python, on grpc-core) | ", "python/requirements.txt", "grpcio=="},
		{"| @grpc/grpc-js (Node) | ", "node/package.json", `"@grpc/grpc-js": "`},
		{"| grpc-java | ", "java/pom.xml", "<artifactId>grpc-netty-shaded</artifactId><version>"},
		{"| @connectrpc/connect-node, over gRPC | ", "node/package.json", `"@connectrpc/connect-node": "`},
		{"| grpc++ (C++, on grpc-core) | ", "install", "--exact-version="},
		{"| tonic (Rust) | ", "rust/Cargo.toml", `tonic = { version = "=`},
	} {
		pins, err := os.ReadFile(pin.file)
		if err != nil {
			t.Fatal(err)
		}
		version := versionAfter(string(pins), pin.before)
		if got := versionAfter(string(page), pin.row); version == "" || got != version {
			t.Errorf("%s pins %q, meshes.md has %q", pin.file, version, got)
		}
	}
}

// versionAfter returns the digits and points that follow the text.
func versionAfter(in, text string) string {
	_, after, _ := strings.Cut(in, text)
	end := strings.IndexFunc(after, func(r rune) bool { return !strings.ContainsRune("0123456789.", r) })
	return after[:max(end, 0)]
}
