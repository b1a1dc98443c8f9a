package audit_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/digate/digate/server/audit"
	"github.com/digate/digate/test/await"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// seen records what an observer was told.
type seen struct {
	failing, back chan string
	lost          chan uint64
}

func newSeen() *seen {
	return &seen{make(chan string, 100), make(chan string, 100), make(chan uint64, 100)}
}

func (s *seen) AuditFailing(cause string)      { s.failing <- cause }
func (s *seen) AuditBack(failed time.Duration) { s.back <- failed.String() }
func (s *seen) AuditLost(lines uint64)         { s.lost <- lines }
func (s *seen) quiet(t *testing.T, what string) {
	t.Helper()
	if n := len(s.failing) + len(s.lost); n > 0 {
		t.Errorf("%s: told of %d troubles", what, n)
	}
}

// openLog opens an audit log, which the end of the test closes.
func openLog(t *testing.T, path string, required bool, s *seen) *audit.Log {
	t.Helper()
	l, err := audit.Open(audit.Settings{Path: path, Required: required}, "v", s)
	must(t, err)
	t.Cleanup(l.Close)
	return l
}

// auditLine is what the tests look at of a line.
type auditLine struct {
	Audit   int
	Event   string
	Process string
	Write   int
	Lines   int
	Code    string
}

// parse returns the lines of a text, each of which must be JSON.
func parse(t *testing.T, text string) []auditLine {
	t.Helper()
	var all []auditLine
	for line := range strings.Lines(text) {
		var l auditLine
		if err := json.Unmarshal([]byte(line), &l); err != nil || !strings.HasSuffix(line, "}\n") {
			t.Errorf("%q is no line: %v", line, err)
		}
		all = append(all, l)
	}
	return all
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	must(t, err)
	return string(text)
}

// events returns the events of lines, with the number of the write where there is one.
func events(lines []auditLine) string {
	var all []string
	for _, l := range lines {
		name := l.Event
		if l.Write != 0 {
			name += strconv.Itoa(l.Write)
		}
		all = append(all, name)
	}
	return strings.Join(all, " ")
}

func TestLog_Writes_HaveNumberedLinesInAFileThatOnlyItsOwnerReads(t *testing.T) {
	t.Parallel()
	path, s := filepath.Join(t.TempDir(), "audit.log"), newSeen()
	l := openLog(t, path, true, s)
	e := &audit.Entry{Kind: "call", Method: "m", Code: "OK"}
	first, err := l.Begin(t.Context(), e)
	must(t, err)
	if got := events(parse(t, read(t, path))); got != "opened begin1" {
		t.Errorf("when a write may be sent, the file has %q", got)
	}
	second, err := l.Begin(t.Context(), e)
	must(t, err)
	l.End(second, e)
	l.End(first, e)
	l.End(0, e)
	l.Close()
	lines := parse(t, read(t, path))
	if got := events(lines); got != "opened begin1 begin2 end2 end1 end3 closed" {
		t.Errorf("got %q", got)
	}
	for _, line := range lines {
		if line.Audit != audit.Schema || line.Process == "" || line.Process != lines[0].Process {
			t.Errorf("%+v", line)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	s.quiet(t, "an audit log in order")
}

func TestLog_OpenedAgain_AddsToWhatIsThere(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "audit.log")
	for range 2 {
		l := openLog(t, path, false, newSeen())
		l.End(0, new(audit.Entry))
		l.Close()
	}
	lines := parse(t, read(t, path))
	if got := events(lines); got != "opened end1 closed opened end1 closed" || lines[0].Process == lines[3].Process {
		t.Errorf("got %q of %+v", got, lines)
	}
}

// A process that is killed may leave a part of a line. The next one begins with a line
// of its own.
func TestLog_LineCutByACrash_SpoilsNoOther(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "audit.log")
	must(t, os.WriteFile(path, []byte(`{"audit":1,"ev`), 0o600))
	l := openLog(t, path, false, newSeen())
	l.Close()
	before, rest, _ := strings.Cut(read(t, path), "\n")
	if got := events(parse(t, rest)); before != `{"audit":1,"ev` || got != "opened closed" {
		t.Errorf("%q, then %q", before, got)
	}
}

func TestLog_NoSuchFolder_IsAnErrorAtStart(t *testing.T) {
	t.Parallel()
	_, err := audit.Open(audit.Settings{Path: filepath.Join(t.TempDir(), "no", "audit.log")}, "v", newSeen())
	if err == nil || !strings.HasPrefix(err.Error(), "--audit-log: ") {
		t.Error(err)
	}
}

// Logrotate renames the file while it is written, or tells digate to open it again.
// Every line is in one of the files, whole and once.
func TestLog_Rotated_LosesNoLine(t *testing.T) {
	t.Parallel()
	for name, reopens := range map[string]bool{"renamed": false, "renamed and told": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, s := t.TempDir(), newSeen()
			path := filepath.Join(dir, "audit.log")
			l := openLog(t, path, true, s)
			const writers, each, files = 4, 100, 20
			var wg sync.WaitGroup
			for range writers {
				wg.Go(func() {
					for range each {
						n, err := l.Begin(t.Context(), new(audit.Entry))
						if err != nil {
							t.Error(err)
						}
						l.End(n, new(audit.Entry))
					}
				})
			}
			for i := range files {
				// The file is there again once a line was written.
				must(t, await.Poll(await.Patience, nil, func() error { return os.Rename(path, filepath.Join(dir, fmt.Sprint("audit.log.", i))) }))
				if reopens {
					l.Reopen()
				} else {
					l.End(0, new(audit.Entry))
				}
			}
			wg.Wait()
			l.Close()
			found, err := os.ReadDir(dir)
			must(t, err)
			if len(found) != files+1 {
				t.Errorf("%d files", len(found))
			}
			count := make(map[string]int)
			for _, f := range found {
				lines := parse(t, read(t, filepath.Join(dir, f.Name())))
				for _, line := range lines {
					count[fmt.Sprint(line.Event, " ", line.Write)]++
				}
			}
			for i := 1; i <= writers*each; i++ {
				if n := count[fmt.Sprint("end ", i)]; n != 1 {
					t.Errorf("write %d has %d ends", i, n)
				}
			}
			s.quiet(t, name)
		})
	}
}

func TestLog_RemovedFile_IsMadeAgain(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "audit.log")
	l := openLog(t, path, true, newSeen())
	must(t, os.Remove(path))
	_, err := l.Begin(t.Context(), new(audit.Entry))
	must(t, err)
	l.Close()
	if got := events(parse(t, read(t, path))); got != "reopened begin1 closed" && got != "begin1 reopened closed" {
		t.Errorf("got %q", got)
	}
}

func TestEntry_Texts_AreBoundedAndEscaped(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "audit.log")
	l := openLog(t, path, false, newSeen())
	hostile := "\"}\n{\"audit\":1,\"event\":\"end\"}\n" + strings.Repeat("ä", 1000)
	l.End(0, &audit.Entry{IntegrationID: hostile, Reason: hostile, Caller: "\xff"})
	l.Close()
	text := read(t, path)
	if n := len(parse(t, text)); n != 3 || len(text) > 2000 {
		t.Errorf("%d lines of %d bytes", n, len(text))
	}
}

func TestSettings_RequiredWithoutALog_IsRefused(t *testing.T) {
	t.Parallel()
	if s := (audit.Settings{Path: "-"}); s.Reopens() || !s.On() || s.Name() != "standard output" {
		t.Errorf("%+v", s)
	}
	if s := (audit.Settings{Path: "f"}); !s.Reopens() || s.Name() != "f" {
		t.Errorf("%+v", s)
	}
}
