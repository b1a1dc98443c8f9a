package emulator

import "slices"

// maxDetail bounds the bytes of one 422: each entry repeats the offending input, so the response to a
// crafted body could otherwise be a thousand times as large as the body.
const maxDetail = 4 << 20

// location is where an input was found: "path", "query" or "body", then names and indices.
type location []any

// at returns the location one step further in.
func (l location) at(step any) location { return append(slices.Clip(l), step) }

// problems collects the validation errors of one request, as the entries of FastAPI's detail list, in
// the order in which pydantic reports them.
type problems struct {
	entries []byte // rendered, separated by commas
	broken  bool   // an entry could not be rendered, which fails the whole response
}

// add reports one problem. A nil context is left out.
func (p *problems) add(kind string, at location, message string, input any, context object) {
	if len(p.entries) > maxDetail {
		return
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
