package examples

import (
	"flag"
	"slices"
	"strings"
	"testing"

	"github.com/digate/digate/test/rig"
)

var (
	run  = flag.Bool("examples", false, "prepare and run the examples")
	only = flag.String("only", "", "run those of these directories, separated by spaces; all unless given")
)

func TestMain(m *testing.M) { rig.Main(m, 1) }

// chosen returns the clients to run.
func chosen(t *testing.T) []client {
	t.Helper()
	if *only == "" {
		return clients
	}
	var some []client
	for dir := range strings.FieldsSeq(*only) {
		i := slices.IndexFunc(clients, func(c client) bool { return c.dir == dir })
		if i < 0 {
			t.Fatalf("there is no example %q", dir)
		}
		some = append(some, clients[i])
	}
	return some
}

// client is an example.
type client struct {
	// dir is its directory below ../../examples.
	dir string
	// protocol is that of its calls, as digate's metrics name it.
	protocol string
	// needs are the programs that its README calls.
	needs []string
}

var clients = []client{
	{dir: "connect", protocol: "connect", needs: []string{"node", "npm"}},
	{dir: "cpp", protocol: "grpc", needs: []string{"g++", "grpc_cpp_plugin", "make", "pkg-config", "protoc"}},
	{dir: "curl", protocol: "rest", needs: []string{"curl", "jq", "openssl"}},
	{dir: "go", protocol: "grpc", needs: []string{"go"}},
	{dir: "grpc-js", protocol: "grpc", needs: []string{"node", "npm"}},
	{dir: "java", protocol: "grpc", needs: []string{"java", "javac", "mvn"}},
	{dir: "python", protocol: "grpc", needs: []string{"python3"}},
	{dir: "requests", protocol: "rest", needs: []string{"python3"}},
	{dir: "rust", protocol: "grpc", needs: []string{"cargo"}},
}
