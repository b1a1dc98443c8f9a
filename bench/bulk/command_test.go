//go:build unix

package bulk

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/digate/digate/test/rig"
)

// `digate bulk` copies a tenth of the items of a file, and then a file with all of
// them; then it runs again, and finds that nothing is left to do.
func TestRun_Command_CopiesAFileAndFindsItDone(t *testing.T) {
	path, err := rig.Build("cmd/digate", false)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println("| rows | run | rows/s | most RSS of the command |\n|--:|---|--:|--:|")
	for _, n := range []int{*items / 10, *items} {
		v := newUpstream(t)
		s, _ := serve(t, v)
		dir := t.TempDir()
		var rows bytes.Buffer
		rows.WriteString("template_id,name\n")
		for i := range n {
			fmt.Fprintf(&rows, "%s,integration %d\n", template, i)
		}
		file := filepath.Join(dir, "rows.csv")
		if err := os.WriteFile(file, rows.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, run := range []string{"first", "again"} {
			results := filepath.Join(dir, run+".ndjson")
			cmd := exec.Command(path, "bulk", file, "--addr", s.GRPC, "--concurrency", "64", "--results", results, "--progress", "never")
			cmd.Env = append(rig.Environment(), "DIGATE_TOKEN="+token)
			began := time.Now()
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			took := time.Since(began)
			written, err := os.ReadFile(results)
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]string{"first": `"outcome":"DONE"`, "again": `"outcome":"REPLAYED"`}[run]
			if got := bytes.Count(written, []byte(want)); got != n {
				t.Errorf("%d rows, %s run: %d with %s", n, run, got, want)
			}
			usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
			if !ok || runtime.GOOS != "linux" { // the unit differs
				t.Skip("what a process needed cannot be told here")
			}
			fmt.Printf("| %d | %s | %.0f | %.0f MiB |\n", n, run, float64(n)/took.Seconds(), float64(usage.Maxrss)/1024)
		}
		if asked := v.Asked(); asked != n {
			t.Errorf("the upstream was asked for %d copies of %d", asked, n)
		}
	}
}
