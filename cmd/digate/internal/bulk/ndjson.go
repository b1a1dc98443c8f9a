package bulk

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

// ndjsonRows reads rows from JSON objects, one on each line.
type ndjsonRows struct {
	lines    *bufio.Reader
	contract *contract
	template string // for rows without one
	line     int
}

// next implements [rowReader]. It skips empty lines.
func (n *ndjsonRows) next() (*row, error) {
	for {
		text, err := n.readLine()
		if errors.Is(err, errRowTooLarge) {
			return &row{line: n.line, copy: new(integrationv1.CopyTemplateRequest), err: err}, nil
		}
		if err != nil {
			return nil, err
		}
		if text = bytes.TrimSpace(text); len(text) > 0 {
			return n.parse(text), nil
		}
	}
}

// readLine returns the next line. It drops a line that is too long, and returns
// errRowTooLarge for it.
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

// references holds the fields of a line that a request does not have.
type references struct {
	Key           string            `json:"key"`
	APIKeyEnv     string            `json:"api_key_env"`
	APIKeyFile    string            `json:"api_key_file"`
	VariablesEnv  map[string]string `json:"variables_env"`
	VariablesFile map[string]string `json:"variables_file"`
}

var ndjsonFields = []string{"template_id", "key", "name", "base_url", "api_key", "api_key_env", "api_key_file", "variables", "variables_env", "variables_file"}

func (n *ndjsonRows) parse(text []byte) *row {
	next := &row{line: n.line, copy: new(integrationv1.CopyTemplateRequest)}
	next.err = n.fill(next, text)
	return next
}

// fill parses a line into its row. No error quotes a value.
func (n *ndjsonRows) fill(next *row, text []byte) error {
	// The codec is stricter than encoding/json: it refuses a key that is there
	// twice, for example.
	if err := n.contract.codec.UnmarshalRequest(text, next.copy); err != nil {
		return err
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(text, &fields) != nil {
		return errors.New("is not a JSON object")
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if !slices.Contains(ndjsonFields, name) {
			return fmt.Errorf("unknown field %q", name)
		}
	}
	var refs references
	for name, into := range map[string]any{
		"key": &refs.Key, "api_key_env": &refs.APIKeyEnv, "api_key_file": &refs.APIKeyFile,
		"variables_env": &refs.VariablesEnv, "variables_file": &refs.VariablesFile,
	} {
		if raw, ok := fields[name]; ok && json.Unmarshal(raw, into) != nil {
			return fmt.Errorf("%s: must hold names, as strings", name)
		}
	}
	if next.copy.TemplateId == "" {
		next.copy.TemplateId = n.template
	}
	next.copy.RequestId = ""
	return refs.into(next)
}

func (r *references) into(next *row) error {
	if err := next.setKey(r.Key); err != nil {
		return err
	}
	for source, name := range map[string]string{refEnv: r.APIKeyEnv, refFile: r.APIKeyFile} {
		if name != "" {
			if err := next.refer(secretRef{"", source, name}); err != nil {
				return err
			}
		}
	}
	for source, names := range map[string]map[string]string{refEnv: r.VariablesEnv, refFile: r.VariablesFile} {
		for variable, name := range names {
			if err := next.refer(secretRef{variable, source, name}); err != nil {
				return err
			}
		}
	}
	return nil
}
