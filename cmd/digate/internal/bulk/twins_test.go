package bulk

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/clitest"
)

// Rows of one name may be meant so: a person hears which lines they are in.
func TestBulk_NewRowsOfOneName_AreNamedAndMade(t *testing.T) {
	for name, row := range map[string]struct {
		names []string
		want  []string
	}{
		"none":      {[]string{"a", "b"}, nil},
		"two":       {[]string{"a", "b", " A "}, []string{"lines 2 and 4 have the same name and template: each makes an integration"}},
		"neighbors": {[]string{"a", "a"}, []string{"lines 2 and 3 have"}},
		"many":      {[]string{"a", "a", "a", "b", "a"}, []string{"lines 2-4, 6 have"}},
		"many names": {
			[]string{"a", "b", "c", "d", "e", "a", "b", "c", "d", "e"},
			[]string{"lines 2 and 7 have", "lines 3 and 8 have", "lines 4 and 9 have", "and so do the rows of 2 more names\n"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t)
			file := clitest.WriteFile(t, "shops.csv", named(row.names...))
			says := func(what, text string) {
				t.Helper()
				for _, want := range row.want {
					if strings.Count(text, want) != 1 {
						t.Errorf("%s: no %q in %s", what, want, text)
					}
				}
				if row.want == nil && strings.Contains(text, "the same name") {
					t.Errorf("%s: %s", what, text)
				}
			}
			dry := digate(t, "bulk", file, "--addr", s.addr, "--dry-run")
			says("dry run", dry.Out)
			first := digate(t, "bulk", file, "--addr", s.addr, "--existing=copy")
			says("run", first.Err)
			if dry.Code != client.ExitDone || first.Code != client.ExitDone || len(s.order) != len(row.names) {
				t.Errorf("%+v\n%+v", dry, first)
			}
			if again := digate(t, "bulk", file, "--addr", s.addr); strings.Contains(again.Err, "the same name") {
				t.Errorf("made rows are named: %+v", again)
			}
			piped := digateWith(t, named(row.names...), "bulk", "-", "--format", "csv", "--existing=copy", "--job", filepath.Join(t.TempDir(), "job"), "--addr", s.addr)
			says("standard input", piped.Err)
		})
	}
}
