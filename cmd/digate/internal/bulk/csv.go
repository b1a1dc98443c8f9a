package bulk

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/digate/digate/cmd/digate/internal/client"
	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
)

// csvRows reads rows from CSV (RFC 4180) with a header row.
type csvRows struct {
	csv      *csv.Reader
	bound    *rowBound
	columns  []csvColumn
	template string // for rows without one
	line     int    // last line of the row before
	ended    bool
}

// csvColumn puts the cells of a column into rows. No error quotes a cell.
type csvColumn struct {
	name string
	take func(r *row, cell string) error
}

func newCSVRows(r io.Reader, template, varPrefix string) (*csvRows, error) {
	bound := &rowBound{r: r}
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
			return nil, fmt.Errorf("unknown column %q; the columns are template_id, key, name, base_url, api_key_env, api_key_file, api_key, %sNAME, %sNAME:json, var_env.NAME and var_file.NAME", name, varPrefix, varPrefix)
		case seen[name]:
			return nil, fmt.Errorf("the column %q is there twice", name)
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
		column.take = func(r *row, cell string) error { r.copy.TemplateId = cell; return nil }
	case "key":
		column.take = func(r *row, cell string) error { return r.setKey(cell) }
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
		column.take = variableColumn(name, varPrefix)
	}
	return column, column.take != nil
}

// variableColumn returns nil if a name is not that of a variable's column.
func variableColumn(name, varPrefix string) func(r *row, cell string) error {
	for prefix, source := range map[string]string{"var_env.": refEnv, "var_file.": refFile} {
		if variable, ok := strings.CutPrefix(name, prefix); ok && variable != "" {
			return func(r *row, cell string) error { return r.refer(secretRef{variable, source, cell}) }
		}
	}
	variable, ok := strings.CutPrefix(name, varPrefix)
	parse := client.TextVariable
	if bare, ok := strings.CutSuffix(variable, ":json"); ok {
		variable, parse = bare, client.JSONVariable
	}
	if !ok || variable == "" {
		return nil
	}
	return func(r *row, cell string) error {
		value, err := parse(cell)
		if err != nil {
			return fmt.Errorf("the variable %s: %w", variable, err)
		}
		return r.set(variable, value)
	}
}

// next implements [rowReader].
func (c *csvRows) next() (*row, error) {
	if c.ended {
		return nil, io.EOF
	}
	c.bound.read = 0
	record, err := c.csv.Read()
	if errors.Is(err, io.EOF) {
		return nil, io.EOF
	}
	next := &row{copy: &integrationv1.CopyTemplateRequest{TemplateId: c.template}}
	if parse, ok := errors.AsType[*csv.ParseError](err); ok {
		next.line, next.err = parse.StartLine, csvError(err)
		// After a misplaced quote the start of the next row is unknown.
		c.ended = !errors.Is(err, csv.ErrFieldCount)
		return next, nil
	}
	if errors.Is(err, errRowTooLarge) {
		next.line, next.err, c.ended = c.line+1, err, true
		return next, nil
	}
	if err != nil {
		return nil, err
	}
	next.line, _ = c.csv.FieldPos(0)
	c.line, _ = c.csv.FieldPos(len(record) - 1)
	for i, cell := range record {
		if cell == "" {
			continue
		}
		if !utf8.ValidString(cell) {
			next.err = fmt.Errorf("%s is not UTF-8", c.columns[i].name)
			break
		}
		if next.err = c.columns[i].take(next, cell); next.err != nil {
			break
		}
	}
	return next, nil
}

// csvError returns an error of the CSV without its position, which the row has.
func csvError(err error) error {
	switch {
	case errors.Is(err, csv.ErrFieldCount):
		return errors.New("has a different number of cells than the header row")
	case errors.Is(err, csv.ErrQuote), errors.Is(err, csv.ErrBareQuote):
		return errors.New("a quote is missing or misplaced, and nothing after it can be read")
	default:
		return err
	}
}

// rowBound fails after it read more than one row may have. Without it, an
// unclosed quote would turn the rest of the input into one row. Its user resets
// read before each row.
type rowBound struct {
	r    io.Reader
	read int
}

func (b *rowBound) Read(p []byte) (int, error) {
	if b.read > maxRow {
		return 0, errRowTooLarge
	}
	n, err := b.r.Read(p)
	b.read += n
	return n, err
}
