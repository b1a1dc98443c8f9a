package bulk

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/digate/digate/cmd/digate/internal/client"
)

// A pipe that has a name is read as standard input is.
func TestBulk_NamedPipe_GoesOnWithItsJob(t *testing.T) {
	s := serve(t)
	dir := t.TempDir()
	pipe := filepath.Join(dir, "rows.csv")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skip(err)
	}
	for _, names := range [][]string{{"a"}, {"a", "b"}} {
		go func() {
			f, err := os.OpenFile(pipe, os.O_WRONLY, 0)
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = f.WriteString(named(names...))
			_ = f.Close()
		}()
		if got := digate(t, "bulk", pipe, "--addr", s.addr, "--job", filepath.Join(dir, "job")); got.Code != client.ExitDone {
			t.Errorf("%+v", got)
		}
		wantNames(t, s, "so far", names...)
	}
}
