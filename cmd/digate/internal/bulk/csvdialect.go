package bulk

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"io"
	"strings"

	"golang.org/x/text/encoding/unicode"
)

// decoded returns text as UTF-8 without its byte-order mark, and whether it had
// one. UTF-16 is what spreadsheets write as "Unicode text".
func decoded(source io.Reader) (_ *bufio.Reader, mark bool) {
	r := bufio.NewReaderSize(source, 64<<10)
	first, _ := r.Peek(3)
	switch {
	case bytes.HasPrefix(first, []byte("\ufeff")):
		_, _ = r.Discard(3)
		return r, true
	case bytes.HasPrefix(first, []byte{0xff, 0xfe}), bytes.HasPrefix(first, []byte{0xfe, 0xff}):
		return bufio.NewReaderSize(unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewDecoder().Reader(r), 64<<10), true
	}
	return r, false
}

// commas are what may separate cells. Spreadsheets write the one of their language.
const commas = ",;\t|"

// findComma returns what separates the cells, from the header row. A line sep= in
// front of it names the comma; it is skipped, and so are empty lines. It returns how
// many were.
func findComma(r *bufio.Reader, varPrefix string) (comma byte, lines int) {
	line := firstLine(r)
	for ; line != "" && strings.Trim(line, "\r\n") == ""; line = firstLine(r) {
		_, _ = r.Discard(len(line))
		lines++
	}
	if given, ok := strings.CutPrefix(strings.ToLower(strings.TrimSpace(line)), "sep="); ok && len(given) <= 1 {
		_, _ = r.Discard(len(line))
		if given == "" {
			given = "\t" // trimmed
		}
		return given[0], lines + 1
	}
	best := -1
	for _, c := range []byte(commas) {
		cells := cellsOf(line, c)
		score := len(cells)
		for _, cell := range cells {
			if _, ok := newCSVColumn(cell, varPrefix); ok {
				score += 1000
			}
		}
		if score > best {
			comma, best = c, score
		}
	}
	return comma, lines
}

// firstLine returns the first line without taking it, as far as it fits into the
// buffer.
func firstLine(r *bufio.Reader) string {
	for n := 512; ; n *= 2 {
		n = min(n, r.Size())
		b, err := r.Peek(n)
		if i := bytes.IndexByte(b, '\n'); i >= 0 {
			return string(b[:i+1])
		}
		if err != nil || n == r.Size() {
			return string(b)
		}
	}
}

func cellsOf(line string, comma byte) []string {
	c := csv.NewReader(strings.NewReader(line))
	c.Comma, c.LazyQuotes = rune(comma), true
	cells, _ := c.Read()
	return cells
}
