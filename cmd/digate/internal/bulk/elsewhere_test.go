package bulk

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/clitest"
)

// A corrected file is often saved under another name.
func TestBulk_FileSavedUnderAnotherName_MakesNothingTwiceUnasked(t *testing.T) {
	s := serve(t)
	file := clitest.WriteFile(t, "shops.csv", named("a", "b", "c"))
	if got := digate(t, "bulk", file, "--addr", s.addr); got.Code != client.ExitDone {
		t.Fatalf("%+v", got)
	}
	job := file + jobSuffix
	before := string(read(t, job))
	corrected := filepath.Join(filepath.Dir(file), "corrected.csv")
	if err := os.WriteFile(corrected, []byte(named("a", "b2", "c", "d")), 0o600); err != nil {
		t.Fatal(err)
	}
	got := digate(t, "bulk", corrected, "--addr", s.addr)
	if got.Code != client.ExitNotSent || !strings.Contains(got.Err, "nothing was sent: the job in "+job+" may have made 2 rows\n") ||
		!strings.Contains(got.Err, " bulk "+corrected+" --job "+job+" ") {
		t.Errorf("%+v", got)
	}
	wantNames(t, s, "saved under another name", "a", "b", "c")
	if _, err := os.Stat(corrected + jobSuffix); err == nil {
		t.Error("a job was begun")
	}
	if after := string(read(t, job)); after != before {
		t.Errorf("the other job was changed:\n%s", after)
	}
	if got := digate(t, "bulk", corrected, "--addr", s.addr, "--job", job, "--changed", "skip"); got.Code != client.ExitDone {
		t.Errorf("%+v", got)
	}
	wantNames(t, s, "with the job", "a", "b", "c", "d")

	other := filepath.Join(filepath.Dir(file), "others.csv")
	if err := os.WriteFile(other, []byte(named("x", "y")), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := digate(t, "bulk", other, "--addr", s.addr); got.Code != client.ExitDone {
		t.Errorf("%+v", got)
	}
	wantNames(t, s, "other rows", "a", "b", "c", "d", "x", "y")
	if got := digate(t, "bulk", corrected, "--addr", s.addr, "--existing", "copy"); got.Code != client.ExitDone {
		t.Errorf("%+v", got)
	}
}
