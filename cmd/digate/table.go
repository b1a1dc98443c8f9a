package main

import (
	"bufio"
	"io"
	"os"
	"strings"
	"unicode"

	"golang.org/x/term"
	"golang.org/x/text/width"
)

// table is rows of cells under a header. The first column holds ids, which are
// of use only whole.
type table [][]string

// minCell is the width, in columns, that a cell is not cut below.
const minCell = 8

// oneLine makes of the text of a cell one line.
var oneLine = strings.NewReplacer("\r\n", " ", "\n", " ", "\r", " ", "\t", " ")

// write writes aligned columns. Where columns is not 0, it is the width that
// long cells are cut to.
func (t table) write(w io.Writer, columns int) error {
	cells := make(table, len(t))
	var widths []int
	for i, row := range t {
		cells[i] = make([]string, len(row))
		for j, text := range row {
			if text == "" {
				text = "-"
			}
			cells[i][j] = printable(oneLine.Replace(text))
			if j == len(widths) {
				widths = append(widths, 0)
			}
			widths[j] = max(widths[j], textWidth(cells[i][j]))
		}
	}
	if columns > 0 {
		fit(widths, columns)
	}
	b := bufio.NewWriter(w)
	for _, row := range cells {
		for j, text := range row {
			text = cut(text, widths[j])
			_, _ = b.WriteString(text)
			if j < len(row)-1 {
				_, _ = b.WriteString(strings.Repeat(" ", widths[j]-textWidth(text)+2))
			}
		}
		_ = b.WriteByte('\n')
	}
	return b.Flush() // which knows of an earlier failure
}

// fit takes from the widest columns until all have room, the first and narrow
// ones excepted.
func fit(widths []int, columns int) {
	total := 2 * (len(widths) - 1)
	for j := range widths {
		if j > 0 {
			widths[j] = min(widths[j], max(columns, minCell)) // so that there is little to take
		}
		total += widths[j]
	}
	for ; total > columns; total-- {
		widest := 0
		for j := 1; j < len(widths); j++ {
			if widths[j] > minCell && (widest == 0 || widths[j] >= widths[widest]) {
				widest = j
			}
		}
		if widest == 0 {
			return
		}
		widths[widest]--
	}
}

// cut shortens s to n columns, and shows that it did.
func cut(s string, n int) string {
	if textWidth(s) <= n {
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

func textWidth(s string) int {
	n := 0
	for _, r := range s {
		n += runeWidth(r)
	}
	return n
}

// runeWidth is how many columns of a terminal a rune takes.
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

// terminalColumns is the width of the terminal that w is, 0 where it is none.
func terminalColumns(w io.Writer) int {
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
