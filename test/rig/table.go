package rig

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// Row prints a row of a Markdown table.
func Row(cells ...any) {
	texts := make([]string, len(cells))
	for i, cell := range cells {
		texts[i] = fmt.Sprint(cell)
	}
	fmt.Println("| " + strings.Join(texts, " | ") + " |")
}

// Table returns the rows of the table with that head in a page of docs, each with
// its trimmed cells, and the text of the page before and after.
func Table(t testing.TB, page, head string) (rows [][]string, before, after string) {
	t.Helper()
	b, err := os.ReadFile("../../docs/" + page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(b), head)
	if !ok {
		t.Fatalf("docs/%s has no table with this head:\n%s", page, head)
	}
	table, after, _ := strings.Cut(rest, "\n\n")
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.Trim(line, "| \n"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows = append(rows, cells)
	}
	return rows, before, after
}
