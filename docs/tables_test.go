package docs

import (
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/digate/digate/server/emulator"
)

var firstCell = regexp.MustCompile("(?m)^\\| `?([^`| ]+)`? \\|")

// firstCells returns what the rows of a text's tables begin with.
func firstCells(text string) []string {
	var all []string
	for _, m := range firstCell.FindAllStringSubmatch(text, -1) {
		all = append(all, m[1])
	}
	return all
}

func TestTestingAgainstIt_ListsTheFaults(t *testing.T) {
	t.Parallel()
	var want []string
	for _, f := range emulator.Faults() {
		want = append(want, f.ID)
	}
	got := firstCells(read(t, "docs/testing-against-it.md").section(t, "Faults"))
	if want = append([]string{"template"}, want...); !slices.Equal(got, want) {
		t.Errorf("the page lists %q, the emulator has %q", got, want)
	}
}

func TestCLI_ListsTheChecksOfDoctorInOrder(t *testing.T) {
	t.Parallel()
	// Its exit code says that nothing listens there.
	out, _ := exec.Command(digate(t), "doctor", "--upstream-url", "http://127.0.0.1:1", "--output", "json").Output()
	var report struct{ Checks []struct{ Check string } }
	if err := json.Unmarshal(out, &report); err != nil || report.Checks == nil {
		t.Fatalf("%v in %s", err, out)
	}
	got := firstCells(read(t, "docs/cli.md").section(t, "Doctor: when something is wrong"))
	if i := slices.Index(got, "check"); i >= 0 {
		got = got[i+1:]
	}
	var want []string
	for _, c := range report.Checks {
		want = append(want, c.Check)
	}
	if !slices.Equal(got, want) {
		t.Errorf("the page lists %q, doctor has %q", got, want)
	}
}

func TestCLI_ListsTheExitCodes(t *testing.T) {
	t.Parallel()
	section := read(t, "docs/cli.md").section(t, "Exit codes")
	_, codes, _ := strings.Cut(help(t, "copy"), "Exit codes:\n")
	found := 0
	for _, m := range regexp.MustCompile(`(?m)^ +(\d)  (\w+)`).FindAllStringSubmatch(codes, -1) {
		name := m[2]
		if name == strings.ToUpper(name) {
			name = "`" + name + "`"
		}
		if found++; !strings.Contains(section, "| "+m[1]+" | "+name) {
			t.Errorf("cli.md has no exit code %s, %s", m[1], m[2])
		}
	}
	if found != 6 {
		t.Errorf("%d exit codes were found", found)
	}
}

func TestArchitecture_ListsThePackagesOfTheServer(t *testing.T) {
	t.Parallel()
	listed := firstCells(read(t, "docs/architecture.md").section(t, "Where things are"))
	dirs, err := os.ReadDir("../server")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range dirs {
		if d.IsDir() && d.Name() != "testdata" && !slices.Contains(listed, "server/"+d.Name()) {
			t.Errorf("the page does not list server/%s", d.Name())
		}
	}
}

var metricName = regexp.MustCompile(`^digate_[a-z_]+_[a-z_]+$`)

// Every metric that a page mentions is in the list, which a test of server holds
// to what is exported.
func TestPages_EveryMetric_IsInTheList(t *testing.T) {
	t.Parallel()
	listed := firstCells(read(t, "docs/metrics.md").section(t, "Metrics"))
	for _, p := range pages(t) {
		if p.history() {
			continue
		}
		for _, m := range codeSpan.FindAllStringSubmatch(p.prose, -1) {
			if metricName.MatchString(m[1]) && !slices.Contains(listed, m[1]) {
				t.Errorf("%s: metrics.md does not list %s", p.path, m[1])
			}
		}
	}
}
