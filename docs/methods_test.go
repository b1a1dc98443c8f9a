package docs

import (
	"strings"
	"testing"

	"github.com/digate/digate/server/contract"
)

func TestReadme_ListsEveryMethodOfTheContract(t *testing.T) {
	t.Parallel()
	section := read(t, "README.md").section(t, "Call it")
	methods := contract.Integration().Methods()
	for i := range methods.Len() {
		if name := string(methods.Get(i).Name()); !strings.Contains(section, "`"+name+"`") {
			t.Errorf("README.md, Call it: the table of methods has no row for `%s`", name)
		}
	}
}
