package term

import (
	"bufio"
	"io"
	"os"
	"strings"
	"unicode"

	"golang.org/x/term"
	"golang.org/x/text/width"
)

// Table holds rows of cells below a header row. The first column holds ids,
// which are never cut.
type Table [][]string

// MinCell is the width, in columns, below which no cell is cut.
const MinCell = 8

// Write writes aligned columns. If columns is not 0, it is the width that long cells
// are cut to, and the last columns are left out that have no room even so.
func (t Table) Write(w io.Writer, columns int) error {
	cells := make(Table, len(t))
	var widths []int
	for i, row := range t {
		cells[i] = make([]string, len(row))
		for j, text := range row {
			if text == "" {
				text = "-"
			}
			cells[i][j] = Printable(OneLine.Replace(text))
			if j == len(widths) {
				widths = append(widths, 0)
			}
			widths[j] = max(widths[j], Width(cells[i][j]))
		}
	}
	if columns > 0 {
		widths = widths[:room(widths, columns)]
		fit(widths, columns)
	}
	b := bufio.NewWriter(w)
	for _, row := range cells {
		row = row[:min(len(row), len(widths))]
		for j, text := range row {
			text = Cut(text, widths[j])
			_, _ = b.WriteString(text)
			if j < len(row)-1 {
				_, _ = b.WriteString(strings.Repeat(" ", widths[j]-Width(text)+2))
			}
		}
		_ = b.WriteByte('\n')
	}
	return b.Flush() // returns the error of an earlier write too
}

// room returns how many of the columns have room if all are as narrow as they can be.
// Where not even the second one has, it counts all: lines are too long anyway.
func room(widths []int, columns int) int {
	total := 0
	for j, w := range widths {
		if j > 0 {
			w = 2 + min(w, MinCell)
		}
		if total += w; total > columns {
			if j < 2 {
				break
			}
			return j
		}
	}
	return len(widths)
}

// fit narrows the widest columns until all have room. The first column and
// columns of MinCell or less keep their widths.
func fit(widths []int, columns int) {
	total := 2 * (len(widths) - 1)
	for j := range widths {
		if j > 0 {
			widths[j] = min(widths[j], max(columns, MinCell)) // bounds the loop below
		}
		total += widths[j]
	}
	for ; total > columns; total-- {
		widest := 0
		for j := 1; j < len(widths); j++ {
			if widths[j] > MinCell && (widest == 0 || widths[j] >= widths[widest]) {
				widest = j
			}
		}
		if widest == 0 {
			return
		}
		widths[widest]--
	}
}

// Cut shortens s to n columns. Shortened text ends in an ellipsis.
func Cut(s string, n int) string {
	if Width(s) <= n {
		return s
	}
	used := 0
	for i, r := range s {
		if used += runeWidth(r); used > n-1 {
			return s[:i] + "…"
		}
	}
	return s
}

// Width returns how many columns of a terminal s takes.
func Width(s string) int {
	n := 0
	for _, r := range s {
		n += runeWidth(r)
	}
	return n
}

func runeWidth(r rune) int {
	switch {
	case r < 0x300:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me):
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// CanRedraw reports whether w is a terminal that can clear a line, of which a new one then
// takes the place.
func CanRedraw(w io.Writer) bool { return IsTerminal(w) && os.Getenv("TERM") != "dumb" }

// Columns returns the width of the terminal w, or 0 if w is no terminal.
func Columns(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok {
		return 0
	}
	columns, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return columns
}
