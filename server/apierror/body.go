package apierror

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/digate/digate/server/nearjson"
)

// bodyShape is the format of an error body.
type bodyShape int8

const (
	// shapeNone is a body in neither format: HTML, empty, incomplete or other JSON.
	shapeNone bodyShape = iota
	// shapeEnvelope is {"status": "error", "error_code": "…", "message": "…"}.
	shapeEnvelope
	// shapeDetail is {"detail": […]} or {"detail": "…"}.
	shapeDetail
)

// content is the redacted and cleaned content of Diga's error body.
type content struct {
	shape      bodyShape
	code       string // the error_code, if it is a valid reason
	message    string
	violations []Violation
	more       int  // number of entries that violations does not include
	mended     bool // the body is only nearly JSON
}

const (
	// maxEntries is the maximum number of entries of a detail that are read, because more
	// never fit into a status. The others are counted.
	maxEntries = 64
	// maxLoc is the maximum size of a loc that is read, in bytes of JSON. Each field of
	// the contract has a shorter loc.
	maxLoc = 4 << 10
)

// readBody reads Diga's error body, even if it is only nearly JSON. A body that is not
// exactly one object has neither format.
func readBody(body []byte, redact redactor) content {
	var top map[string]json.RawMessage
	if json.Unmarshal(body, &top) == nil {
		return readTop(top, redact)
	}
	mended, changed := nearjson.Mend(body)
	if !changed || json.Unmarshal(mended, &top) != nil {
		return content{}
	}
	s := readTop(top, redact)
	s.mended = true
	return s
}

func readTop(top map[string]json.RawMessage, redact redactor) content {
	code, hasCode := readString(top["error_code"])
	message, hasMessage := readString(top["message"])
	if hasCode && hasMessage {
		s := content{shape: shapeEnvelope, message: redact.text(message)}
		if fitsReason(code) && redact.untouched(code) {
			s.code = code
		}
		return s
	}
	if detail, ok := readString(top["detail"]); ok {
		return content{shape: shapeDetail, message: redact.text(detail)}
	}
	return readDetail(top["detail"], redact)
}

// readDetail reads a list of entries, each an object with a msg. It reads them one by
// one, because the list may be as long as the largest body.
func readDetail(raw json.RawMessage, redact redactor) content {
	if !bytes.HasPrefix(raw, []byte("[")) {
		return content{}
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	if _, err := dec.Token(); err != nil {
		return content{}
	}
	s := content{shape: shapeDetail}
	for dec.More() {
		var entry struct{ Loc, Msg, Type json.RawMessage }
		if dec.Decode(&entry) != nil {
			return content{}
		}
		msg, ok := readString(entry.Msg)
		if !ok {
			return content{}
		}
		if len(s.violations) == maxEntries {
			s.more++
			continue
		}
		v := Violation{Field: redact.text(readLoc(entry.Loc)), Description: redact.text(msg)}
		if kind, _ := readString(entry.Type); redact.untouched(kind) && fitsReason(strings.ToUpper(kind)) {
			v.Reason = strings.ToUpper(kind)
		}
		s.violations = append(s.violations, v)
	}
	if len(s.violations) == 0 {
		return content{}
	}
	s.message = summary(s.violations, len(s.violations)+s.more)
	return s
}

// readLoc converts a loc to a field path: names joined by dots, and integers as indexes.
// It drops the location at the start, unless only a position in it follows.
func readLoc(raw json.RawMessage) string {
	var loc []json.RawMessage
	if len(raw) > maxLoc || json.Unmarshal(raw, &loc) != nil {
		return ""
	}
	if len(loc) > 1 {
		first, _ := readString(loc[0])
		if _, named := readString(loc[1]); named && isLocation(first) {
			loc = loc[1:]
		}
	}
	var path strings.Builder
	for _, element := range loc {
		if name, ok := readString(element); ok {
			if path.Len() > 0 {
				path.WriteByte('.')
			}
			path.WriteString(name)
		} else if _, err := strconv.ParseUint(string(element), 10, 32); err == nil {
			path.WriteString("[" + string(element) + "]")
		}
	}
	return path.String()
}

func isLocation(s string) bool {
	switch s {
	case "path", "query", "body", "header", "cookie":
		return true
	default:
		return false
	}
}

// readString decodes a JSON string. ok is false for any other value.
func readString(raw json.RawMessage) (s string, ok bool) {
	if !bytes.HasPrefix(raw, []byte(`"`)) {
		return "", false
	}
	return s, json.Unmarshal(raw, &s) == nil
}
