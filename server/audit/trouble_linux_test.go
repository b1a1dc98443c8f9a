package audit_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/digate/digate/internal/need"
	"github.com/digate/digate/server/audit"
	"github.com/digate/digate/test/await"
)

// smallDisk returns a folder on a disk of 64 KiB.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		need.Missing(t, "mount", "this process may mount no disk: "+err.Error())
	}
	t.Cleanup(func() { must(t, syscall.Unmount(dir, 0)) })
	return dir
}

// A full disk refuses writes that need their line, and costs no line that fits the
// memory meanwhile.
func TestLog_FullDisk_RefusesUntilThereIsRoomAndLosesNothing(t *testing.T) {
	t.Parallel()
	dir, s := smallDisk(t), newSeen()
	path, hog := filepath.Join(dir, "audit.log"), filepath.Join(dir, "hog")
	l := openLog(t, path, true, s)
	fill(t, hog)
	writes := 0
	for {
		n, err := l.Begin(t.Context(), &audit.Entry{Method: strings.Repeat("m", 200)})
		l.End(n, new(audit.Entry))
		writes++
		if err != nil {
			if !strings.Contains(err.Error(), "no space left") && n == 0 {
				t.Error(err)
			}
			break
		}
		if writes > 10_000 {
			t.Fatal("the disk never gets full")
		}
	}
	if cause := await.Value(t, s.failing, "the failure"); !strings.Contains(cause, "no space left") {
		t.Errorf("cause %q", cause)
	}
	began := time.Now()
	n, err := l.Begin(t.Context(), new(audit.Entry))
	if err == nil || n != 0 || time.Since(began) > time.Second/2 {
		t.Errorf("while the disk is full: %d, %v after %v", n, err, time.Since(began))
	}
	l.End(n, new(audit.Entry))
	writes++
	if st := l.State(); st.Failing == "" || st.Refused < 2 || st.Lost != 0 || st.Pending == 0 {
		t.Errorf("%+v", st)
	}
	must(t, os.Remove(hog))
	await.Value(t, s.back, "the recovery")
	_, err = l.Begin(t.Context(), new(audit.Entry))
	must(t, err)
	l.Close()
	ends := 0
	for _, line := range parse(t, read(t, path)) {
		if line.Event == "end" {
			ends++
		}
	}
	if ends != writes || len(s.failing) != 0 || len(s.lost) != 0 {
		t.Errorf("%d ends of %d writes; told %d and %d times more", ends, writes, len(s.failing), len(s.lost))
	}
}

// fill fills a disk up to its last bytes.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	must(t, err)
	defer func() { _ = f.Close() }()
	block := make([]byte, 4096)
	for {
		if _, err := f.Write(block); err != nil {
			return
		}
	}
}

func TestLog_ReadOnlyDisk_FailsAtStart(t *testing.T) {
	t.Parallel()
	dir := smallDisk(t)
	must(t, syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""))
	_, err := audit.Open(audit.Settings{Path: filepath.Join(dir, "audit.log")}, "v", newSeen())
	if !errors.Is(err, syscall.EROFS) {
		t.Error(err)
	}
}

// A disk that becomes read-only is that of a file which is renamed: the file cannot be
// opened again.
func TestLog_FileThatCannotBeOpenedAgain_IsFailing(t *testing.T) {
	t.Parallel()
	dir, s := t.TempDir(), newSeen()
	path := filepath.Join(dir, "audit.log")
	l := openLog(t, path, true, s)
	must(t, os.Rename(path, path+".1"))
	must(t, os.Mkdir(path, 0o700))
	if _, err := l.Begin(t.Context(), new(audit.Entry)); err == nil {
		t.Error("the line of a write went nowhere")
	}
	if cause := await.Value(t, s.failing, "the failure"); cause != "is a directory" {
		t.Errorf("cause %q", cause)
	}
	must(t, os.Remove(path))
	await.Value(t, s.back, "the recovery")
	l.Close()
	if lines := parse(t, read(t, path)); lines[0].Event != "begin" {
		t.Errorf("%+v", lines)
	}
}

func pipe(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "audit.pipe")
	must(t, syscall.Mkfifo(path, 0o600))
	return path
}

// reader opens a pipe for reading. It writes too, so that there is no end of the pipe
// before the audit log opened it.
func reader(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR|syscall.O_NONBLOCK, 0)
	must(t, err)
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// nextLine returns the next line of a pipe.
func nextLine(t *testing.T, from *bufio.Reader) auditLine {
	t.Helper()
	text, err := from.ReadString('\n')
	must(t, err)
	return parse(t, text)[0]
}

func TestLog_PipeWithoutAReader_RefusesUntilThereIsOne(t *testing.T) {
	t.Parallel()
	path, s := pipe(t), newSeen()
	l := openLog(t, path, true, s)
	if cause := await.Value(t, s.failing, "the failure"); cause != "nobody reads the pipe" {
		t.Errorf("cause %q", cause)
	}
	if _, err := l.Begin(t.Context(), new(audit.Entry)); err == nil {
		t.Error("a write began that nobody reads of")
	}
	f := reader(t, path)
	await.Value(t, s.back, "the recovery")
	n, err := l.Begin(t.Context(), new(audit.Entry))
	must(t, err)
	from := bufio.NewReader(f)
	if got := nextLine(t, from); got.Event != "opened" {
		t.Errorf("first %+v", got)
	}
	if got := nextLine(t, from); got.Event != "begin" || got.Write != int(n) {
		t.Errorf("then %+v", got)
	}

	// The reader goes away, and another one comes: it gets whole lines.
	must(t, f.Close())
	if _, err := l.Begin(t.Context(), new(audit.Entry)); err == nil {
		t.Error("a write began that nobody reads of")
	}
	await.Value(t, s.failing, "the second failure")
	f = reader(t, path)
	await.Value(t, s.back, "the second recovery")
	from = bufio.NewReader(f)
	var got []auditLine
	for len(got) < 2 {
		got = append(got, nextLine(t, from))
	}
	if e := events(got); e != "begin2 reopened" {
		t.Errorf("the other reader got %q", e)
	}
}

// A reader that stalls holds a write up for a second, and the next ones not at all.
func TestLog_PipeWhoseReaderStalls_BoundsTheWait(t *testing.T) {
	t.Parallel()
	path, s := pipe(t), newSeen()
	f := reader(t, path)
	l := openLog(t, path, true, s)
	for { // what a pipe holds, and more
		l.End(0, &audit.Entry{Method: strings.Repeat("m", 250)})
		if l.State().Pending > 100<<10 {
			break
		}
	}
	began := time.Now()
	n, err := l.Begin(t.Context(), new(audit.Entry))
	if took := time.Since(began); err == nil || took > 3*time.Second {
		t.Errorf("%v after %v", err, took)
	}
	short, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	for range 100 {
		_, err = l.Begin(short, new(audit.Entry))
	}
	if took := time.Since(began); err == nil || took > 4*time.Second {
		t.Errorf("%v after %v", err, took)
	}
	if cause := await.Value(t, s.failing, "the failure"); !strings.Contains(cause, "not taken") {
		t.Errorf("cause %q", cause)
	}
	// The reader goes on, and gets all of it.
	from := bufio.NewReader(f)
	for {
		if got := nextLine(t, from); got.Write == int(n) && got.Event == "begin" {
			break
		}
	}
	await.Value(t, s.back, "the recovery")
}

// More lines than fit are lost. They are counted, and the audit log says so.
func TestLog_MoreThanFits_IsLostAndSaysSo(t *testing.T) {
	t.Parallel()
	path, s := pipe(t), newSeen()
	l := openLog(t, path, false, s)
	const lines = 20_000
	for range lines {
		l.End(0, &audit.Entry{Method: strings.Repeat("m", 250)})
	}
	lost := l.State().Lost
	if lost == 0 || l.State().Pending > l.State().Limit {
		t.Fatalf("%+v", l.State())
	}
	from := bufio.NewReader(reader(t, path))
	ends := 0
	for {
		got := nextLine(t, from)
		if got.Event == "lost" {
			if got.Lines != int(lost) || uint64(ends)+lost != lines {
				t.Errorf("%+v after %d lines; %d were lost", got, ends, lost)
			}
			break
		}
		if got.Event == "end" {
			ends++
		}
	}
	if got := await.Value(t, s.lost, "the loss"); got != lost {
		t.Errorf("told of %d", got)
	}
}

// While a pipe stalls, the end of the log is bounded too.
func TestLog_ClosedWhileThePipeStalls_Ends(t *testing.T) {
	t.Parallel()
	path := pipe(t)
	_ = reader(t, path)
	l := openLog(t, path, false, newSeen())
	for l.State().Pending < 100<<10 {
		l.End(0, &audit.Entry{Method: strings.Repeat("m", 250)})
	}
	began := time.Now()
	l.Close()
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("closing took %v", took)
	}
}

// asChild is the variable of a process that begins writes until it is killed.
const asChild = "DIGATE_TEST_AUDIT_CHILD"

// A process that is killed leaves a line for each write that it may have sent.
func TestLog_Killed_LeavesTheLineOfEveryWriteThatBegan(t *testing.T) {
	t.Parallel()
	if path := os.Getenv(asChild); path != "" {
		l, err := audit.Open(audit.Settings{Path: path, Required: true}, "v", newSeen())
		must(t, err)
		for {
			n, err := l.Begin(t.Context(), new(audit.Entry))
			must(t, err)
			fmt.Println(n) // it is sent
		}
	}
	path := filepath.Join(t.TempDir(), "audit.log")
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestLog_Killed_", "-test.count=1")
	cmd.Env = append(os.Environ(), asChild+"="+path)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	sent := bufio.NewScanner(out)
	last := 0
	for sent.Scan() {
		_, _ = fmt.Sscan(sent.Text(), &last)
		if last == 500 {
			must(t, cmd.Process.Kill())
		}
	}
	_ = cmd.Wait()
	text := read(t, path)
	text = text[:strings.LastIndexByte(text, '\n')+1]
	begun := make(map[int]bool)
	for _, line := range parse(t, text) {
		begun[line.Write] = true
	}
	for n := 1; n <= last; n++ {
		if !begun[n] {
			t.Errorf("write %d was sent, and has no line", n)
		}
	}
	if last < 500 {
		t.Errorf("only %d writes", last)
	}
}

// A file that may not grow further is as a full disk. The signal of the kernel does not
// end the process.
func TestLog_FileSizeLimit_IsAFailureAndNoEnd(t *testing.T) {
	t.Parallel()
	if path := os.Getenv(asChild + "_LIMIT"); path != "" {
		must(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 4096, Max: 4096}))
		s := newSeen()
		l := openLog(t, path, true, s)
		for {
			if _, err := l.Begin(t.Context(), new(audit.Entry)); err != nil {
				break
			}
		}
		fmt.Println("cause:", await.Value(t, s.failing, "the failure"))
		return
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestLog_FileSizeLimit_", "-test.count=1")
	cmd.Env = append(os.Environ(), asChild+"_LIMIT="+filepath.Join(t.TempDir(), "audit.log"))
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "cause: file too large") {
		t.Errorf("%v: %s", err, out)
	}
}
