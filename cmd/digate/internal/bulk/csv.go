package bulk

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/digate/digate/cmd/digate/internal/client"
	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/internal/spelling"
)

// csvRows reads rows from CSV (RFC 4180) with a header row, as spreadsheets write
// it.
type csvRows struct {
	records  *records
	record   *bytes.Reader // of which csv reads
	csv      *csv.Reader
	columns  []csvColumn
	template string // for rows without one
	// notUTF8 says that a cell is in another encoding.
	notUTF8 bool
}

// csvColumn puts the cells of a column into rows. No error quotes a cell.
type csvColumn struct {
	name string
	take func(r *row, cell string) error // nil for a column without a name
	// numbers are set for columns whose cells a spreadsheet may take for numbers.
	numbers *numbers
}

func newCSVRows(r *bufio.Reader, template, varPrefix string) (*csvRows, error) {
	comma, lines := findComma(r, varPrefix)
	c := &csvRows{records: &records{r: r, comma: comma, line: lines}, record: bytes.NewReader(nil), template: template}
	c.csv = c.reader()
	first, _, err := c.records.next()
	var header []string
	if err == nil {
		header, err = c.cells(first)
	}
	switch {
	case errors.Is(err, io.EOF):
		return nil, errors.New("there is no header row")
	case err != nil:
		return nil, fmt.Errorf("the header row: %w", csvError(err))
	}
	seen := make(map[string]bool)
	for _, name := range header {
		if !utf8.ValidString(name) {
			return nil, errors.New("the header row is not UTF-8: " + saveAsUTF8)
		}
		column, ok := newCSVColumn(name, varPrefix)
		switch {
		case column.name == "":
		case !ok:
			return nil, unknownColumn(name, varPrefix)
		case seen[column.name]:
			return nil, fmt.Errorf("the column %q is there twice", column.name)
		}
		seen[column.name] = true
		c.columns = append(c.columns, column)
	}
	if !seen["template_id"] && template == "" {
		return nil, errors.New("there is no column template_id, and no --template")
	}
	return c, nil
}

// reader returns a reader of single records.
func (c *csvRows) reader() *csv.Reader {
	r := csv.NewReader(c.record)
	r.Comma, r.FieldsPerRecord, r.ReuseRecord = rune(c.records.comma), -1, true
	return r
}

// cells returns the cells of a record. They are valid until the next one.
func (c *csvRows) cells(record []byte) ([]string, error) {
	c.record.Reset(record)
	cells, err := c.csv.Read()
	if err != nil {
		c.csv = c.reader() // it may have read a part of the record
	}
	return cells, err
}

// plainColumns are the columns with names of their own.
var plainColumns = []string{"template_id", "key", "name", "base_url", "api_key_env", "api_key_file", "api_key"}

// unknownColumn returns the error for a column that no row can have.
func unknownColumn(name, varPrefix string) error {
	name = strings.TrimSpace(name)
	if near, ok := spelling.Nearest(name, plainColumns); ok {
		return fmt.Errorf("unknown column %q; did you mean %s?", name, near)
	}
	return fmt.Errorf("unknown column %q; the value of a placeholder %s is in a column %s%s; the other columns are template_id, key, name, base_url, api_key_env, api_key_file, api_key, %sNAME:json, var_env.NAME and var_file.NAME",
		name, name, varPrefix, name, varPrefix)
}

// cutPrefix is [strings.CutPrefix], whatever the case of the prefix.
func cutPrefix(s, prefix string) (after string, ok bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}

func newCSVColumn(name, varPrefix string) (csvColumn, bool) {
	name = strings.TrimSpace(name)
	column := csvColumn{name: strings.NewReplacer(" ", "_", "-", "_").Replace(strings.ToLower(name))}
	switch column.name {
	case "":
		return column, false
	case "template_id":
		column.take = func(r *row, cell string) error { r.copy.TemplateId = strings.TrimSpace(cell); return nil }
	case "key":
		column.take, column.numbers = func(r *row, cell string) error { return r.setKey(cell) }, new(numbers)
	case "name":
		column.take = func(r *row, cell string) error { r.copy.Name = &cell; return nil }
	case "base_url":
		column.take = func(r *row, cell string) error { r.copy.BaseUrl = &cell; return nil }
	case "api_key":
		column.take = func(r *row, cell string) error {
			if r.sets("") {
				return errors.New("the api_key is set twice")
			}
			r.copy.ApiKey = &cell
			return nil
		}
	case "api_key_env":
		column.take = func(r *row, cell string) error { return r.refer(secretRef{"", refEnv, cell}) }
	case "api_key_file":
		column.take = func(r *row, cell string) error { return r.refer(secretRef{"", refFile, cell}) }
	default:
		column.name, column.take = variableColumn(name, varPrefix)
		if !strings.HasSuffix(column.name, ":json") {
			column.numbers = new(numbers)
		}
	}
	return column, column.take != nil
}

// variableColumn returns the name of a variable's column as it is in documentation,
// and nil if the name is another column's.
func variableColumn(name, varPrefix string) (string, func(r *row, cell string) error) {
	for prefix, source := range map[string]string{"var_env.": refEnv, "var_file.": refFile} {
		if variable, ok := cutPrefix(name, prefix); ok && variable != "" {
			return prefix + variable, func(r *row, cell string) error { return r.refer(secretRef{variable, source, cell}) }
		}
	}
	variable, ok := cutPrefix(name, varPrefix)
	name = varPrefix + variable
	parse := client.TextVariable
	if bare, ok := strings.CutSuffix(variable, ":json"); ok {
		variable, parse = bare, client.JSONVariable
	}
	if !ok || variable == "" {
		return name, nil
	}
	return name, func(r *row, cell string) error {
		value, err := parse(cell)
		if err != nil {
			return fmt.Errorf("the variable %s: %w", variable, err)
		}
		return r.set(variable, value)
	}
}

// next implements [rowReader]. It skips rows of which all cells are empty.
func (c *csvRows) next() (*row, error) {
	for {
		record, line, err := c.records.next()
		if err != nil && !errors.Is(err, errRowTooLarge) {
			return nil, err
		}
		next := &row{line: line, copy: &integrationv1.CopyTemplateRequest{TemplateId: c.template}}
		var cells []string
		if err == nil {
			cells, err = c.cells(record)
		}
		if err != nil {
			next.err = csvError(err)
			return next, nil
		}
		if !slices.ContainsFunc(cells, func(cell string) bool { return strings.TrimSpace(cell) != "" }) {
			continue
		}
		next.err = c.fill(next, cells)
		return next, nil
	}
}

// fill puts the cells into a row.
func (c *csvRows) fill(next *row, cells []string) error {
	if n := len(cells); n < len(c.columns) || slices.ContainsFunc(cells[len(c.columns):], func(cell string) bool { return cell != "" }) {
		c.identify(next, cells)
		return fmt.Errorf("%d %s, the header has %d", n, map[bool]string{true: "cell", false: "cells"}[n == 1], len(c.columns))
	}
	for i, column := range c.columns {
		cell := cells[i]
		switch {
		case cell == "":
			continue
		case !utf8.ValidString(cell):
			c.notUTF8 = true
			return fmt.Errorf("%s is not UTF-8", column.name)
		case column.take == nil:
			return fmt.Errorf("cell %d is in a column without a name", i+1)
		}
		if err := column.take(next, cell); err != nil {
			return err
		}
		if column.numbers != nil && column.numbers.see(next.line, cell) {
			next.doubts = append(next.doubts, column.name+" looks like a number that a spreadsheet rounded")
		}
	}
	return nil
}

// identify puts the key and the name into a row whose other cells may be in the wrong
// columns, so that its result says which row it is.
func (c *csvRows) identify(next *row, cells []string) {
	for i, column := range c.columns[:min(len(c.columns), len(cells))] {
		if (column.name == "key" || column.name == "name") && cells[i] != "" && utf8.ValidString(cells[i]) {
			_ = column.take(next, cells[i])
		}
	}
}

// saveAsUTF8 says how to write a file that digate can read.
const saveAsUTF8 = `save it in the spreadsheet as "CSV UTF-8"`

// notes says what the whole of the input shows.
func (c *csvRows) notes() (notes []string) {
	if c.notUTF8 {
		notes = append(notes, "The file is not UTF-8 (Windows-1252 or Latin-1, perhaps):", "  "+saveAsUTF8)
	}
	for _, column := range c.columns {
		if column.numbers != nil && column.numbers.lostZeros() {
			notes = append(notes, fmt.Sprintf("%s: a spreadsheet may have removed zeros, in line %d for one: others begin with 0", column.name, column.numbers.shortLine))
		}
	}
	return notes
}

// csvError returns an error of the CSV without its position, which the row has.
func csvError(err error) error {
	switch {
	case errors.Is(err, csv.ErrQuote), errors.Is(err, csv.ErrBareQuote), errors.Is(err, io.EOF):
		return errors.New("a quote is missing or misplaced")
	default:
		return err
	}
}
