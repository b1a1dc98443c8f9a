package term

import (
	"io"
	"strings"
	"testing"
)

func TestTable_Columns_AreAligned(t *testing.T) {
	t.Parallel()
	rows := Table{{"ID", "NAME", "LAST"}, {"1", "日本", "x"}, {"22", "", "a\tb\r\nc"}, {"3", "e\u0301", "a very long cell at the end"}}
	for columns, want := range map[int]string{
		0: "ID  NAME  LAST\n1   日本  x\n22  -     a b c\n3   e\u0301     a very long cell at the end\n",
		// The id is whole, whatever the width.
		20: "ID  NAME  LAST\n1   日本  x\n22  -     a b c\n3   e\u0301     a very lo…\n",
		1:  "ID  NAME  LAST\n1   日本  x\n22  -     a b c\n3   e\u0301     a very …\n",
	} {
		var b strings.Builder
		if err := rows.Write(&b, columns); err != nil || b.String() != want {
			t.Errorf("%d columns: %v\n%s", columns, err, b.String())
		}
	}
	r, w := io.Pipe()
	_ = r.Close()
	if err := rows.Write(w, 0); err == nil {
		t.Error("a table that cannot be written was written")
	}
}

func TestTable_WideCells_GiveInEqually(t *testing.T) {
	t.Parallel()
	widths := []int{36, 1000, 5, 30}
	fit(widths, 80)
	if total := widths[0] + widths[1] + widths[2] + widths[3] + 6; total != 80 || widths[0] != 36 || widths[2] != 5 {
		t.Errorf("%v", widths)
	}
	if d := widths[1] - widths[3]; d < -1 || d > 1 {
		t.Errorf("%v", widths)
	}
}

// A line that is longer than the terminal hides which cell is whose.
func TestTable_ColumnsWithoutRoom_AreLeftOutFromTheEnd(t *testing.T) {
	t.Parallel()
	id := strings.Repeat("i", 36)
	rows := Table{{"ID", "NAME", "METHOD", "PATH", "DESCRIPTION"}, {id, "find_order", "GET", "/orders.json", "Finds an order by its name."}}
	for columns, want := range map[int]string{
		80: "ID                                    NAME        METHOD  PATH        DESCRIPTI…\n" + id + "  find_order  GET     /orders.j…  Finds an …\n",
		70: "ID                                    NAME        METHOD  PATH\n" + id + "  find_order  GET     /orders.json\n",
		46: "ID                                    NAME\n" + id + "  find_or…\n",
	} {
		var b strings.Builder
		if err := rows.Write(&b, columns); err != nil || b.String() != want {
			t.Errorf("%d columns: %v\n%s", columns, err, b.String())
		}
	}
}

func TestCut_NeverExceedsItsColumns(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		s    string
		n    int
		want string
	}{
		{"abc", 3, "abc"},
		{"abcd", 3, "ab…"},
		{"日本語", 6, "日本語"},
		{"日本語", 5, "日本…"},
		{"日本語", 4, "日…"},
		{"", 0, ""},
	} {
		if got := Cut(row.s, row.n); got != row.want || Width(got) > row.n {
			t.Errorf("%q to %d: %q", row.s, row.n, got)
		}
	}
}
