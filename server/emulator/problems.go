package emulator

import (
	"fmt"
	"slices"
	"strings"
)

// maxDetail bounds the bytes of one 422: each entry repeats the offending input, so the response to a
// crafted body could otherwise be a thousand times as large as the body.
const maxDetail = 4 << 20

// location is where an input was found: "path", "query" or "body", then names and indices.
type location []any

// at returns the location one step further in.
func (l location) at(step any) location { return append(slices.Clip(l), step) }

// String returns the steps, dotted, and a colon; nothing for no step.
func (l location) String() string {
	var b strings.Builder
	for i, step := range l {
		if i > 0 {
			b.WriteByte('.')
		}
		fmt.Fprint(&b, step)
	}
	if len(l) > 0 {
		b.WriteString(": ")
	}
	return b.String()
}

// problems collects the validation errors of one request, as the entries of FastAPI's detail list, in
// the order in which pydantic reports them.
type problems struct {
	entries []byte   // rendered, separated by commas
	broken  bool     // an entry could not be rendered, which fails the whole response
	lines   []string // the first problems as text, without the input
	strict  bool     // what the contract does not name is a problem, and so is what is converted
}

// maxLines bounds the problems that are kept as text.
const maxLines = 10

// add reports one problem. A nil context is left out.
func (p *problems) add(kind string, at location, message string, input any, context object) {
	if len(p.entries) > maxDetail {
		return
	}
	if len(p.lines) < maxLines {
		p.lines = append(p.lines, at.String()+message)
	}
	entry := object{{"type", kind}, {"loc", []any(at)}, {"msg", message}, {"input", input}}
	if context != nil {
		entry = append(entry, member{"ctx", context})
	}
	if len(p.entries) > 0 {
		p.entries = append(p.entries, ',')
	}
	var err error
	if p.entries, err = appendJSON(p.entries, entry); err != nil {
		p.broken = true
	}
}

// known reports whether every key of an object is that of a field, if the check is strict. It adds a
// problem for each that is not.
func (p *problems) known(at location, o object, fields []field) bool {
	if !p.strict {
		return true
	}
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.name
	}
	ok := true
	for _, m := range o {
		if slices.Contains(names, m.key) {
			continue
		}
		ok = false
		n := len(p.lines)
		p.add("extra_forbidden", at.at(m.key), "Extra inputs are not permitted", m.value, nil)
		if len(p.lines) > n {
			p.lines[n] += ", only " + strings.Join(names, ", ")
		}
	}
	return ok
}

func (p *problems) any() bool { return len(p.entries) > 0 }

// response returns a 422 with all entries. If one of them could not be rendered, it returns FastAPI's
// plain 500.
func (p *problems) response() response {
	if p.broken {
		return crash()
	}
	body := make([]byte, 0, len(p.entries)+len(`{"detail":[]}`))
	body = append(body, `{"detail":[`...)
	body = append(body, p.entries...)
	body = append(body, `]}`...)
	return response{status: 422, raw: body}
}
