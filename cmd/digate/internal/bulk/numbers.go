package bulk

import (
	"regexp"
	"strings"
)

// numbers sees the cells of a column, and what a spreadsheet may have done to them.
type numbers struct {
	zeroLed   int // the length of the longest number that begins with 0
	short     int // the length of the shortest one that does not
	shortLine int // the first line that has it
}

var (
	roundedNumber = regexp.MustCompile(`^[+-]?[0-9]+([.,][0-9]+)?[eE][+-]?[0-9]{1,3}$`)
	wholeNumber   = regexp.MustCompile(`^[0-9]{2,40}$`)
)

// see takes a cell. It reports whether the cell looks rounded.
func (n *numbers) see(line int, cell string) bool {
	if cell[0] > '9' { // most cells
		return false
	}
	if wholeNumber.MatchString(cell) {
		switch length := len(cell); {
		case strings.HasPrefix(cell, "0"):
			n.zeroLed = max(n.zeroLed, length)
		case n.short == 0 || length < n.short:
			n.short, n.shortLine = length, line
		}
	}
	return roundedNumber.MatchString(cell)
}

// lostZeros reports whether some numbers may have begun with 0 too.
func (n *numbers) lostZeros() bool { return n.short > 0 && n.short < n.zeroLed }
