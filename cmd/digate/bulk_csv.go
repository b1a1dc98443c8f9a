package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
)

// csvRows reads rows from CSV (RFC 4180) under a header.
type csvRows struct {
	csv     *csv.Reader
	bound   *boundedReader
	columns []csvColumn
	// template is of rows that name none.
	template string
	line     int // that the row before was in
	ended    bool
}

// csvColumn takes a cell of its column into a row. The error quotes no cell.
type csvColumn struct {
	name string
	take func(r *bulkRow, cell string) error
}

func newCSVRows(r io.Reader, template, varPrefix string) (*csvRows, error) {
	bound := &boundedReader{r: r}
	c := &csvRows{csv: csv.NewReader(bound), bound: bound, template: template}
	c.csv.ReuseRecord = true
	header, err := c.csv.Read()
	switch {
	case errors.Is(err, io.EOF):
		return nil, errors.New("there is no header row")
	case err != nil:
		return nil, fmt.Errorf("the header row: %w", csvError(err))
	}
	seen := make(map[string]bool)
	for _, name := range header {
		column, ok := newCSVColumn(name, varPrefix)
		switch {
		case !utf8.ValidString(name):
			return nil, errors.New("the header row is not UTF-8")
		case !ok:
			return nil, fmt.Errorf("unknown column %q: there are template_id, name, base_url, api_key_env, api_key_file, api_key, %sNAME, %sNAME:json, var_env.NAME and var_file.NAME", name, varPrefix, varPrefix)
		case seen[name]:
			return nil, fmt.Errorf("the column %q stands there twice", name)
		}
		seen[name] = true
		c.columns = append(c.columns, column)
	}
	if !seen["template_id"] && template == "" {
		return nil, errors.New("there is no column template_id, and no --template")
	}
	return c, nil
}

func newCSVColumn(name, varPrefix string) (csvColumn, bool) {
	column := csvColumn{name: name}
	switch name {
	case "template_id":
		column.take = func(r *bulkRow, cell string) error { r.copy.TemplateId = cell; return nil }
	case "name":
		column.take = func(r *bulkRow, cell string) error { r.copy.Name = &cell; return nil }
	case "base_url":
		column.take = func(r *bulkRow, cell string) error { r.copy.BaseUrl = &cell; return nil }
	case "api_key":
		column.take = func(r *bulkRow, cell string) error {
			if r.sets("") {
				return errors.New("the api_key is set twice")
			}
			r.copy.ApiKey = &cell
			return nil
		}
	case "api_key_env":
		column.take = func(r *bulkRow, cell string) error { return r.refer(secretRef{"", refEnv, cell}) }
	case "api_key_file":
		column.take = func(r *bulkRow, cell string) error { return r.refer(secretRef{"", refFile, cell}) }
	default:
		column.take = variableColumn(name, varPrefix)
	}
	return column, column.take != nil
}

// variableColumn is nil for a name that is no variable's column.
func variableColumn(name, varPrefix string) func(r *bulkRow, cell string) error {
	for prefix, source := range map[string]string{"var_env.": refEnv, "var_file.": refFile} {
		if variable, ok := strings.CutPrefix(name, prefix); ok && variable != "" {
			return func(r *bulkRow, cell string) error { return r.refer(secretRef{variable, source, cell}) }
		}
	}
	variable, ok := strings.CutPrefix(name, varPrefix)
	parse := textValue
	if bare, ok := strings.CutSuffix(variable, ":json"); ok {
		variable, parse = bare, jsonValue
	}
	if !ok || variable == "" {
		return nil
	}
	return func(r *bulkRow, cell string) error {
		value, err := parse(cell)
		if err != nil {
			return fmt.Errorf("the variable %s: %w", variable, err)
		}
		return r.set(variable, value)
	}
}

// next implements [rowReader].
func (c *csvRows) next() (*bulkRow, error) {
	if c.ended {
		return nil, io.EOF
	}
	c.bound.read = 0
	record, err := c.csv.Read()
	if errors.Is(err, io.EOF) {
		return nil, io.EOF
	}
	row := &bulkRow{copy: &integrationv1.CopyTemplateRequest{TemplateId: c.template}}
	if parse, ok := errors.AsType[*csv.ParseError](err); ok {
		row.line, row.err = parse.StartLine, csvError(err)
		// Where a quote is wrong nobody can say where the next row begins.
		c.ended = !errors.Is(err, csv.ErrFieldCount)
		return row, nil
	}
	if errors.Is(err, errRowTooLarge) {
		row.line, row.err, c.ended = c.line+1, err, true
		return row, nil
	}
	if err != nil {
		return nil, err
	}
	row.line, _ = c.csv.FieldPos(0)
	c.line, _ = c.csv.FieldPos(len(record) - 1)
	for i, cell := range record {
		if cell == "" {
			continue
		}
		if !utf8.ValidString(cell) {
			row.err = fmt.Errorf("%s is not UTF-8", c.columns[i].name)
			break
		}
		if row.err = c.columns[i].take(row, cell); row.err != nil {
			break
		}
	}
	return row, nil
}

// csvError is an error of the CSV itself without the position, which stands with
// the row.
func csvError(err error) error {
	switch {
	case errors.Is(err, csv.ErrFieldCount):
		return errors.New("has another number of cells than the header row")
	case errors.Is(err, csv.ErrQuote), errors.Is(err, csv.ErrBareQuote):
		return errors.New("a quote is missing or misplaced, so what follows cannot be read either")
	default:
		return err
	}
}

// boundedReader fails once more than a row was read since the count was set
// back: a quote that nothing closes would make a row of all that follows.
type boundedReader struct {
	r    io.Reader
	read int
}

func (b *boundedReader) Read(p []byte) (int, error) {
	if b.read > maxRow {
		return 0, errRowTooLarge
	}
	n, err := b.r.Read(p)
	b.read += n
	return n, err
}
