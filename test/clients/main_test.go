package clients

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"google.golang.org/grpc/encoding"

	"github.com/digate/digate/internal/need"
	"github.com/digate/digate/test/rig"
)

var (
	run  = flag.Bool("clients", false, "run the drivers that `make clients` installed")
	long = flag.Bool("clients.long", false, "also make calls with a deadline of 102 seconds")
)

// The drivers compete for the machine with the servers under test.
const parallel = 3

func TestMain(m *testing.M) {
	encoding.RegisterCompressor(ownEncoding{}) // before there is a client
	rig.Main(m, parallel)
}

// client is a gRPC library, and what it can do.
type client struct {
	name    string
	command func(t *testing.T) *exec.Cmd
	// config reports whether the library follows a service config.
	config bool
	// deflate reports whether it can be made to use the encoding deflate.
	deflate bool
	// cancels reports whether it learns that a connection ends by a call that it fails,
	// as CANCELLED, before the call leaves it.
	cancels bool
	// accept reports whether it can refuse compressed responses.
	accept bool
	// deaf reports whether it hears nothing before it has sent all of a message.
	deaf bool
}

var all = []client{
	{name: "grpcio", command: python, config: true, deflate: true},
	{name: "grpc-js", command: node("grpcjs.mjs"), config: true, deflate: true},
	{name: "connect-node", command: node("connect.mjs"), deflate: true, accept: true, deaf: true},
	{name: "tonic", command: built("tonic", "rust"), deflate: true, accept: true, cancels: true},
	{name: "grpc++", command: built("grpc++", "cpp"), config: true, deflate: true},
	{name: "grpc-java", command: java, config: true, deflate: true},
}

// installed returns the path of a file below bin/clients, or ends the test.
func installed(t *testing.T, name string, path ...string) string {
	t.Helper()
	file, err := filepath.Abs(filepath.Join(append([]string{"..", "..", "bin", "clients"}, path...)...))
	if err == nil {
		_, err = os.Stat(file)
	}
	if err != nil {
		need.Missing(t, name, "the driver is not installed: make clients")
	}
	return file
}

func python(t *testing.T) *exec.Cmd {
	packages := installed(t, "grpcio", "python")
	cmd := exec.Command(need.Program(t, "python3"), filepath.Join("python", "driver.py"))
	cmd.Env = append(os.Environ(), "PYTHONPATH="+packages)
	return cmd
}

// node returns a function that starts a driver for Node. It finds its packages beside
// itself, so it is copied there.
func node(driver string) func(t *testing.T) *exec.Cmd {
	return func(t *testing.T) *exec.Cmd {
		packages := installed(t, "grpc-js", "node", "node_modules")
		dir := t.TempDir()
		for _, name := range []string{driver, "driver.mjs", "calls.mjs", "package.json"} {
			b, err := os.ReadFile(filepath.Join("node", name))
			if err == nil {
				err = os.WriteFile(filepath.Join(dir, name), b, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Symlink(packages, filepath.Join(dir, "node_modules")); err != nil {
			t.Fatal(err)
		}
		return exec.Command(need.Program(t, "node"), filepath.Join(dir, driver))
	}
}

func java(t *testing.T) *exec.Cmd {
	classes := filepath.Dir(installed(t, "grpc-java", "java", "Driver.class"))
	return exec.Command(need.Program(t, "java"), "-XX:TieredStopAtLevel=1", "-cp", classes+string(filepath.ListSeparator)+filepath.Join(classes, "*"), "Driver")
}

// built returns a function that starts a driver that was built when it was installed.
func built(name, dir string) func(t *testing.T) *exec.Cmd {
	return func(t *testing.T) *exec.Cmd { return exec.Command(installed(t, name, dir, "driver")) }
}

// each runs a test for every client for which the filter returns true, beside each
// other.
func each(t *testing.T, filter func(client) bool, test func(t *testing.T, c client)) {
	t.Helper()
	t.Parallel()
	eachAlone(t, filter, test)
}

// eachAlone is each for a test that must not compete for the machine with others.
func eachAlone(t *testing.T, filter func(client) bool, test func(t *testing.T, c client)) {
	t.Helper()
	if !*run {
		t.Skip("make clients runs it")
	}
	for _, c := range all {
		if filter == nil || filter(c) {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				test(t, c)
			})
		}
	}
}

// serve starts a digate in front of an upstream. At the end of the test it must
// drain and exit with code 0.
func serve(t *testing.T, upstreamURL string, args ...string) *rig.Server {
	t.Helper()
	path, err := rig.Build("cmd/digate", false)
	if err != nil {
		t.Fatal(err)
	}
	s, err := rig.Serve(path, filepath.Join(t.TempDir(), "log"), append([]string{"--upstream-url", upstreamURL}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}
