package docs

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/digate/digate/internal/need"
)

// The code blocks of a page are its examples. They run in order, in one shell
// and one empty directory, against a `digate dev` of their own:
//
//   - sh: every command must succeed.
//   - console: the text behind "$ " is typed, and the rest must be the output.
//     Ids, records, times and durations may be others; "..." matches the rest of
//     a line, and a line "..." any lines.
//   - python: the program must succeed.
//   - csv: a file, named by a line above it that is only `NAME`:.
//
// A line <!-- not run: reason --> above a block excludes it: see notrun_test.go. So does
// <!-- from PATH -->, since another test runs the program: see excerpts_test.go.
//
// The directory has the audit log of that `digate dev`, audit.log. Its stand-in has
// control routes.

// exampleEnd bounds the examples of a page.
const exampleEnd = 5 * time.Minute

var (
	fileName = regexp.MustCompile("^`([a-z.-]+)`:$")
	notRun   = regexp.MustCompile(`^<!-- not run: (.+) -->$`)

	anID       = regexp.MustCompile(`\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b`)
	aRecord    = regexp.MustCompile(`\b[0-9a-f]{64}\b`)
	aTime      = regexp.MustCompile(`\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z| UTC)`)
	aDuration  = regexp.MustCompile(`\b\d+(\.\d+)?(µs|ms|s)\b`)
	itsAddress = regexp.MustCompile(` --addr 127\.0\.0\.1:\d+`)
)

// examples returns the blocks of a page that are run.
func (p page) examples() []block {
	var all []block
	for _, b := range p.blocks {
		switch b.language {
		case "sh", "console", "python":
			if !notRun.MatchString(b.before) && !excerpt.MatchString(b.before) {
				all = append(all, b)
			}
		case "csv":
			if fileName.MatchString(b.before) {
				all = append(all, b)
			}
		}
	}
	return all
}

func TestExamples_RunAsThePagesSay(t *testing.T) {
	t.Parallel()
	need.Program(t, "bash")
	path := digate(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(filepath.Dir(path), "grpcurl")); err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, p := range pages(t) {
		if examples := p.examples(); examples != nil {
			ran += len(examples)
			t.Run(p.path, func(t *testing.T) {
				t.Parallel()
				for _, program := range []string{"curl", "jq", "protoc"} {
					if slices.ContainsFunc(examples, func(b block) bool {
						return strings.HasPrefix(b.text, program+" ") || strings.Contains(b.text, "\n"+program+" ")
					}) {
						need.Program(t, program)
					}
				}
				runExamples(t, examples)
			})
		}
	}
	if ran < 8 {
		t.Errorf("the pages have only %d examples", ran)
	}
}

func runExamples(t *testing.T, examples []block) {
	s := newShell(t)
	lacking := false
	for _, b := range examples {
		switch b.language {
		case "csv":
			s.write(t, fileName.FindStringSubmatch(b.before)[1], b.text)
		case "sh":
			out, failed := s.run(t, b.text)
			if failed {
				t.Errorf("line %d failed:\n%s\n%s", b.line, b.text, out)
			}
		case "python":
			if exec.Command("python3", "-c", "import requests").Run() != nil {
				lacking = true
				continue
			}
			s.write(t, "example.py", s.local.Replace(b.text))
			if out, failed := s.run(t, "python3 example.py"); failed {
				t.Errorf("line %d failed:\n%s", b.line, out)
			}
		case "console":
			for _, step := range steps(t, b) {
				out, _ := s.run(t, step.command)
				if !step.expects(out) {
					t.Errorf("line %d: $ %s\nprinted\n%s\nand the page has\n%s", b.line, step.command, out, step.output)
				}
			}
		}
	}
	if lacking {
		need.Missing(t, "requests", "python3 with requests is not here, so the examples in Python did not run")
	}
}

// step is a command of a console and what it prints.
type step struct{ command, output string }

func steps(t *testing.T, b block) []step {
	t.Helper()
	var all []step
	for line := range strings.Lines(b.text) {
		if command, ok := strings.CutPrefix(line, "$ "); ok {
			all = append(all, step{command: command})
		} else if all == nil {
			t.Fatalf("line %d: output without a command", b.line)
		} else if last := &all[len(all)-1]; last.output == "" && strings.HasSuffix(last.command, "\\\n") {
			last.command += line
		} else {
			last.output += line
		}
	}
	return all
}

func normal(out string) string {
	out = aRecord.ReplaceAllString(itsAddress.ReplaceAllString(out, ""), "RECORD")
	out = aTime.ReplaceAllString(anID.ReplaceAllString(out, "ID"), "TIME")
	return aDuration.ReplaceAllString(out, "DURATION")
}

// expects reports whether out is the step's output.
func (s step) expects(out string) bool {
	var pattern strings.Builder
	for line := range strings.Lines(normal(s.output)) {
		line = strings.TrimSuffix(line, "\n")
		if line == "..." {
			pattern.WriteString(`(.*\n)*`)
			continue
		}
		pattern.WriteString(strings.ReplaceAll(regexp.QuoteMeta(line), `\.\.\.`, `.*`) + ` *\n`)
	}
	return regexp.MustCompile(`^` + pattern.String() + `$`).MatchString(normal(out))
}

func TestExpects_ToleratesOnlyWhatDiffersByRun(t *testing.T) {
	t.Parallel()
	s := step{output: "made 83dbdaea-d47f-4d79-a2b5-b013d3eff6ca in 3ms\n...\nok: ...\n"}
	for out, want := range map[string]bool{
		"made 00000000-d47f-4d79-a2b5-b013d3eff6ca in 1.5s\nok: x\n":       true,
		"made 00000000-d47f-4d79-a2b5-b013d3eff6ca in 1.5s\na\nb\nok: x\n": true,
		"made 00000000-d47f-4d79-a2b5-b013d3eff6ca in 1.5s\nno: x\n":       false,
		"made none in 1.5s\nok: x\n":                                       false,
		"made 00000000-d47f-4d79-a2b5-b013d3eff6ca in 1.5s\nok: x\nmore\n": false,
		"": false,
	} {
		if s.expects(out) != want {
			t.Errorf("%q: not %v", out, want)
		}
	}
}

// shell is a bash in which a page's examples run, and the digate that they
// talk to.
type shell struct {
	dir   string
	cmd   *exec.Cmd
	in    *bufio.Writer
	out   *bufio.Reader
	local *strings.Replacer // to the addresses of this run
	back  *strings.Replacer // to those of the pages
}

// endMark ends the output of what was typed.
const endMark = "\x01end of example"

func newShell(t *testing.T) *shell {
	t.Helper()
	s := &shell{dir: t.TempDir()}
	d := startDev(t, "--audit-log", filepath.Join(s.dir, "audit.log"), "--control")
	var there, here []string
	for page, running := range map[string]string{"127.0.0.1:9090": d.grpc, "127.0.0.1:8080": d.rest, "127.0.0.1:9091": d.admin, "127.0.0.1:8090": d.diga} {
		there, here = append(there, page, running), append(here, running, page)
	}
	s.local = strings.NewReplacer(append(there, "go run ./cmd/digate", "digate")...)
	s.back = strings.NewReplacer(here...)

	bin := t.TempDir()
	curl := "#!/bin/sh\nPATH=${PATH#*:} exec curl --fail-with-body \"$@\"\n"
	if err := os.WriteFile(filepath.Join(bin, "curl"), []byte(curl), 0o755); err != nil {
		t.Fatal(err)
	}
	s.cmd = exec.Command("bash", "--noprofile", "--norc")
	s.cmd.Dir = s.dir
	s.cmd.Env = []string{"PATH=" + bin + ":" + filepath.Dir(digate(t)) + ":" + os.Getenv("PATH"), "HOME=" + s.dir, "DIGATE_ADDR=" + d.grpc}
	in, err := s.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.cmd.Stderr = s.cmd.Stdout
	s.start(t, s.cmd)
	s.in, s.out = bufio.NewWriter(in), bufio.NewReader(out)
	return s
}

// start starts a process, which is killed with the test or when that has lasted
// too long.
func (*shell) start(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	kill := startGroup(t, cmd)
	timer := time.AfterFunc(exampleEnd, kill)
	t.Cleanup(func() {
		timer.Stop()
		kill()
		_ = cmd.Wait()
	})
}

func (s *shell) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// run types commands and returns what they print, and whether one failed.
func (s *shell) run(t *testing.T, text string) (string, bool) {
	t.Helper()
	s.write(t, ".typed", s.local.Replace(text)+"\n")
	fmt.Fprintf(s.in, "failed=0; trap 'failed=1' ERR; . ./.typed </dev/null; trap - ERR; echo '%s' $failed\n", endMark)
	if err := s.in.Flush(); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	for {
		line, err := s.out.ReadString('\n')
		if err != nil {
			t.Fatalf("the shell ended: %v\n%s%s", err, &out, line)
		}
		if before, failed, ok := strings.Cut(line, endMark); ok {
			if before != "" {
				before += "\n"
			}
			return s.back.Replace(out.String() + before), strings.TrimSpace(failed) != "0"
		}
		out.WriteString(line)
	}
}

// A reader can paste from either: the page and the program show the same.
func TestReadme_TryIt_ShowsWhatDevPrints(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	_, printed, _ := strings.Cut(d.welcome, "Try, in another terminal; any token is an account of its own:\n")
	printed, _, _ = strings.Cut(printed, "More templates:")
	got := strings.NewReplacer(" --addr "+d.grpc, "", d.grpc, "127.0.0.1:9090", d.rest, "127.0.0.1:8080", digate(t), "go run ./cmd/digate").Replace(printed)
	for _, b := range read(t, "README.md").blocks {
		if strings.Join(strings.Fields(got), " ") == strings.Join(strings.Fields(b.text), " ") {
			return
		}
	}
	t.Errorf("the README has no block with what digate dev prints:\n%s", got)
}

// dev is a running `digate dev`: its addresses, and what it printed about them.
type dev struct{ grpc, rest, admin, diga, welcome string }

var listening = regexp.MustCompile(`(gRPC|REST|admin|Diga) +(?:http://)?(127\.0\.0\.1:\d+)`)

func startDev(t *testing.T, flags ...string) dev {
	t.Helper()
	args := append([]string{"dev"}, flags...)
	for _, o := range options(t, "dev") {
		if strings.HasSuffix(o.name, "-addr") {
			args = append(args, "--"+o.name, "127.0.0.1:0")
		}
	}
	cmd := exec.Command(digate(t), args...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	(*shell)(nil).start(t, cmd)
	var d dev
	for lines := bufio.NewScanner(out); !strings.HasSuffix(lines.Text(), "Its log:"); {
		if !lines.Scan() {
			t.Fatalf("digate dev ended before it said what it listens on:\n%s", d.welcome)
		}
		d.welcome += lines.Text() + "\n"
		for _, m := range listening.FindAllStringSubmatch(lines.Text(), -1) {
			*map[string]*string{"gRPC": &d.grpc, "REST": &d.rest, "admin": &d.admin, "Diga": &d.diga}[m[1]] = m[2]
		}
	}
	return d
}
