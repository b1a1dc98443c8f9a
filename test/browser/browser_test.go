package browser

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/digate/digate/internal/need"
	"github.com/digate/digate/test/rig"
)

var (
	run      = flag.Bool("browser", false, "use the page at /docs, and draw the diagrams, in Chromium, with what `make browser` installed")
	pictures = flag.String("browser.pictures", "", "folder for pictures")
)

func TestMain(m *testing.M) { rig.Main(m, 0) }

// A person uses the page of `digate dev` and of `digate serve`. What they do is in
// docs.mjs, a test for each errand.
func TestDocs_InABrowser_CanBeUsedByEverybody(t *testing.T) {
	drive := driver(t)
	binary, err := rig.Build("cmd/digate", false)
	if err != nil {
		t.Fatal(err)
	}
	dev := exec.Command(binary, "dev", "--grpc-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0", "--emulator-addr", "127.0.0.1:0")
	dev.Env = rig.Environment()
	drive("docs.mjs", "DIGATE=http://"+start(t, dev).REST,
		"SERVE=http://"+start(t, rig.ServeCommand(binary, "--docs", "--upstream-url", "http://127.0.0.1:9")).REST)
}

// What GitHub cannot draw it shows as an error.
func TestDiagrams_OfThePages_AreDrawn(t *testing.T) {
	drive := driver(t)
	var pages []string
	for _, pattern := range []string{"*.md", "docs/*.md", "examples/*.md", "examples/*/*.md"} {
		paths, err := filepath.Glob(filepath.Join("..", "..", pattern))
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, paths...)
	}
	pages = slices.DeleteFunc(pages, func(path string) bool {
		text, err := os.ReadFile(path)
		return err != nil || !strings.Contains(string(text), "\n```mermaid\n")
	})
	if len(pages) == 0 {
		t.Fatal("no page has a diagram")
	}
	drive("diagrams.mjs", "PAGES="+strings.Join(pages, ":"))
}

// driver returns the function that runs a file of tests in Chromium.
func driver(t *testing.T) func(file string, environment ...string) {
	t.Helper()
	if !*run {
		t.Skip("only with -browser (make browser)")
	}
	node, chromium := need.Program(t, "node"), need.Program(t, "chromium")
	packages, err := filepath.Abs(filepath.Join("..", "..", "bin", "browser"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(packages); err != nil {
		need.Missing(t, "chromium", "what drives it is not installed: make browser")
	}
	to := *pictures
	if to == "" {
		to = t.TempDir()
	}
	return func(file string, environment ...string) {
		t.Helper()
		command := exec.Command(node, "--test", "--test-reporter=spec", file)
		command.Env = append(os.Environ(), "CHROMIUM="+chromium, "PACKAGES="+packages, "PICTURES="+to)
		command.Env = append(command.Env, environment...)
		out, err := command.CombinedOutput()
		t.Logf("%s", out)
		if err != nil {
			t.Error(err)
		}
	}
}

// mostPicture bounds the picture in the README, in bytes: everybody who looks at the
// project loads it.
const mostPicture = 150_000

func TestPicture_OfTheReadme_IsSmall(t *testing.T) {
	t.Parallel()
	info, err := os.Stat(filepath.Join("..", "..", "docs", "reference.png"))
	if err != nil || info.Size() > mostPicture {
		t.Errorf("%v %v: at most %d bytes, as `make browser` makes it", info, err, mostPicture)
	}
}

// start starts a server, which ends with the test.
func start(t *testing.T, command *exec.Cmd) *rig.Server {
	t.Helper()
	s, err := rig.StartServer(command, filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Kill)
	return s
}
