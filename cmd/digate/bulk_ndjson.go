package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
)

// ndjsonRows reads rows from JSON objects, one a line.
type ndjsonRows struct {
	lines    *bufio.Reader
	contract *contract
	template string // of rows that name none
	line     int
}

// next implements [rowReader]. Empty lines are no rows.
func (n *ndjsonRows) next() (*bulkRow, error) {
	for {
		text, err := n.readLine()
		if errors.Is(err, errRowTooLarge) {
			return &bulkRow{line: n.line, copy: new(integrationv1.CopyTemplateRequest), err: err}, nil
		}
		if err != nil {
			return nil, err
		}
		if text = bytes.TrimSpace(text); len(text) > 0 {
			return n.parse(text), nil
		}
	}
}

// readLine returns the next line; of one that is too long nothing is kept.
func (n *ndjsonRows) readLine() ([]byte, error) {
	var line []byte
	tooLong, some := false, false
	for {
		part, err := n.lines.ReadSlice('\n')
		some = some || len(part) > 0
		if tooLong = tooLong || len(line)+len(part) > maxRow; tooLong {
			line = nil
		} else {
			line = append(line, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil && (!errors.Is(err, io.EOF) || !some):
			return nil, err
		}
		n.line++
		if tooLong {
			return nil, errRowTooLarge
		}
		return line, nil
	}
}

// references are the fields of a line that a request does not have.
type references struct {
	APIKeyEnv     string            `json:"api_key_env"`
	APIKeyFile    string            `json:"api_key_file"`
	VariablesEnv  map[string]string `json:"variables_env"`
	VariablesFile map[string]string `json:"variables_file"`
}

var ndjsonFields = []string{"template_id", "name", "base_url", "api_key", "api_key_env", "api_key_file", "variables", "variables_env", "variables_file"}

func (n *ndjsonRows) parse(text []byte) *bulkRow {
	row := &bulkRow{line: n.line, copy: new(integrationv1.CopyTemplateRequest)}
	row.err = n.fill(row, text)
	return row
}

// fill reads a line into its row. The error quotes no value.
func (n *ndjsonRows) fill(row *bulkRow, text []byte) error {
	// It refuses what JSON leaves open, such as a key that stands there twice.
	if err := n.contract.codec.UnmarshalRequest(text, row.copy); err != nil {
		return err
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(text, &fields) != nil {
		return errors.New("is no JSON object")
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if !slices.Contains(ndjsonFields, name) {
			return fmt.Errorf("unknown field %q", name)
		}
	}
	var refs references
	for name, into := range map[string]any{
		"api_key_env": &refs.APIKeyEnv, "api_key_file": &refs.APIKeyFile,
		"variables_env": &refs.VariablesEnv, "variables_file": &refs.VariablesFile,
	} {
		if raw, ok := fields[name]; ok && json.Unmarshal(raw, into) != nil {
			return fmt.Errorf("%s: must be names, as strings", name)
		}
	}
	if row.copy.TemplateId == "" {
		row.copy.TemplateId = n.template
	}
	row.copy.RequestId = ""
	return refs.into(row)
}

func (r *references) into(row *bulkRow) error {
	for source, name := range map[string]string{refEnv: r.APIKeyEnv, refFile: r.APIKeyFile} {
		if name != "" {
			if err := row.refer(secretRef{"", source, name}); err != nil {
				return err
			}
		}
	}
	for source, names := range map[string]map[string]string{refEnv: r.VariablesEnv, refFile: r.VariablesFile} {
		for variable, name := range names {
			if err := row.refer(secretRef{variable, source, name}); err != nil {
				return err
			}
		}
	}
	return nil
}
