package gateway

import (
	"bytes"
	"encoding/json"
	"fmt"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/digajson"
	"github.com/digate/digate/server/nearjson"
	"github.com/digate/digate/server/validate"
)

// item is one line of a bulk request. It has a copy, or the error of a line that is not a
// valid copy.
type item struct {
	line int
	copy *integrationv1.CopyTemplateRequest
	err  error
}

// read splits a body into its items, and reports whether there are few enough of them.
// Empty lines count in line numbers but are not items.
func (b *bulk) read(body []byte) (items []item, ok bool) {
	seen := make(map[string]int)
	n := 0
	for text := range bytes.Lines(nearjson.TrimBOM(body)) {
		n++
		text = bytes.TrimSpace(text)
		if len(text) == 0 {
			continue
		}
		if len(items) == b.maxItems {
			return nil, false
		}
		it := item{line: n}
		it.copy, it.err = b.readItem(text)
		if it.err == nil {
			if before, twice := seen[it.copy.RequestId]; twice {
				it.err = wrong("request_id", fmt.Sprintf("is used in line %d too", before), "DUPLICATE")
			}
			seen[it.copy.RequestId] = n
		}
		items = append(items, it)
	}
	return items, true
}

// variablesJSONField is the contract's field for variables as JSON. In REST, the field
// variables has that role.
const variablesJSONField = "variables_json"

func wrong(field, description, reason string) error {
	return apierror.InvalidRequest(apierror.Violation{Field: field, Description: description, Reason: reason})
}

func (b *bulk) readItem(text []byte) (*integrationv1.CopyTemplateRequest, error) {
	req := new(integrationv1.CopyTemplateRequest)
	if _, err := b.request.UnmarshalForwarded(text, req); err != nil {
		return nil, validate.Refusal(err, (*digajson.Error).Field)
	}
	if err := readExtras(text, req); err != nil {
		return nil, err
	}
	if req.RequestId == "" {
		return nil, wrong(string(requestIDField), "is required in each line: 1 to 255 printable ASCII characters, another one in each", "MISSING")
	}
	return req, nil
}

// readExtras reads the members of a line that the contract's JSON does not have because
// other routes take them from headers: the request id, and what to do with unresolved
// placeholders. The line must be a well-formed object.
func readExtras(text []byte, req *integrationv1.CopyTemplateRequest) error {
	var id, unresolved *string
	dec := json.NewDecoder(bytes.NewReader(text))
	_, err := dec.Token() // the brace
	for err == nil && dec.More() {
		var key json.Token
		var value json.RawMessage
		if key, err = dec.Token(); err == nil {
			err = dec.Decode(&value)
		}
		if err != nil {
			break
		}
		var field **string
		switch key {
		case string(requestIDField):
			field = &id
		case "unresolved":
			field = &unresolved
		case variablesJSONField:
			// Diga does not have this route, so the field is never one of Diga's: it must
			// be a mistake.
			return wrong(variablesJSONField, "is a field of gRPC alone; variables takes every number", "EXTRA_FORBIDDEN")
		default:
			continue
		}
		if *field != nil {
			return wrong(key.(string), "is there twice", "DUPLICATE_KEY")
		}
		if *field = new(string); json.Unmarshal(value, *field) != nil {
			return wrong(key.(string), "must be a string", "STRING_TYPE")
		}
	}
	if err != nil {
		return wrong("body", "is not an object", "VALUE_ERROR")
	}
	if id != nil {
		req.RequestId = *id
	}
	if unresolved == nil || *unresolved == "" {
		return nil
	}
	var ok bool
	if req.Unresolved, ok = parseUnresolved(*unresolved); !ok {
		return wrong("unresolved", "must be ALLOW or REFUSE", "ENUM")
	}
	return nil
}
