package surface

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// The bounds of a document. Diga's own is far below each.
const (
	// MaxDocument is the size of a document in bytes.
	MaxDocument = 8 << 20
	maxDepth    = 100
	maxShapes   = 50_000
)

type document struct {
	OpenAPI string `json:"openapi"`
	Info    struct {
		Title   string `json:"title"`
		Version string `json:"version"`
	} `json:"info"`
	Servers []struct {
		URL string `json:"url"`
	} `json:"servers"`
	Paths      object `json:"paths"`
	Components struct {
		Schemas       object `json:"schemas"`
		Parameters    object `json:"parameters"`
		RequestBodies object `json:"requestBodies"`
		Responses     object `json:"responses"`
	} `json:"components"`
}

type parameter struct {
	Ref      string          `json:"$ref"`
	Name     string          `json:"name"`
	In       string          `json:"in"`
	Required bool            `json:"required"`
	Schema   json.RawMessage `json:"schema"`
}

type body struct {
	Ref      string `json:"$ref"`
	Required bool   `json:"required"`
	Content  object `json:"content"`
}

var verbs = []string{"get", "put", "post", "delete", "options", "head", "patch", "trace"}

// OfOpenAPI reads an OpenAPI 3 document in JSON, which may come from anybody. It
// reads the operations below one of the prefixes, all of them without one. The
// error says what is wrong with the document and where.
func OfOpenAPI(text []byte, prefixes ...string) (*Surface, error) {
	if len(text) > MaxDocument {
		return nil, fmt.Errorf("the document has more than %d bytes", MaxDocument)
	}
	var d document
	if err := json.Unmarshal(text, &d); err != nil {
		return nil, fmt.Errorf("the document is no OpenAPI document in JSON: %w", err)
	}
	if !strings.HasPrefix(d.OpenAPI, "3.") {
		return nil, errors.New(`the document is no OpenAPI document: it has no "openapi" of version 3`)
	}
	if d.Paths == nil {
		return nil, errors.New(`the document has no "paths"`)
	}
	s := &Surface{About: []Fact{{"title", d.Info.Title}, {"version", d.Info.Version}}}
	servers := make([]string, len(d.Servers))
	for i := range d.Servers {
		servers[i] = d.Servers[i].URL
	}
	s.About = append(s.About, Fact{"servers", strings.Join(servers, ", ")})
	r := newReader(&d)
	seen := make(map[string]bool)
	for _, p := range d.Paths {
		if prefixes != nil && !slices.ContainsFunc(prefixes, func(prefix string) bool { return below(p.name, prefix) }) {
			continue
		}
		operations, err := r.path(p.name, p.value)
		if err != nil {
			return nil, err
		}
		for _, o := range operations {
			if seen[o.key()] {
				return nil, fmt.Errorf("%s is in the document twice", o.Route())
			}
			seen[o.key()] = true
		}
		s.Operations = append(s.Operations, operations...)
	}
	r.finish()
	if r.shapes > maxShapes {
		return nil, errTooLarge
	}
	return s, nil
}

// path reads the operations of one path.
func (r *reader) path(path string, text json.RawMessage) ([]*Operation, error) {
	var item object
	if err := json.Unmarshal(text, &item); err != nil {
		return nil, fmt.Errorf("path %s: %w", quote(path), err)
	}
	var shared []json.RawMessage
	for _, m := range item {
		if m.name == "parameters" {
			if err := json.Unmarshal(m.value, &shared); err != nil {
				return nil, fmt.Errorf("path %s: parameters: %w", quote(path), err)
			}
		}
	}
	var operations []*Operation
	for _, m := range item {
		if !slices.Contains(verbs, m.name) {
			continue
		}
		o := &Operation{Verb: strings.ToUpper(m.name), Path: path}
		o.Name = o.Route()
		if err := r.operation(o, shared, m.value); err != nil {
			return nil, fmt.Errorf("%s: %w", quote(o.Route()), err)
		}
		operations = append(operations, o)
	}
	return operations, nil
}

func (r *reader) operation(o *Operation, shared []json.RawMessage, text json.RawMessage) error {
	var op struct {
		Parameters  []json.RawMessage `json:"parameters"`
		RequestBody json.RawMessage   `json:"requestBody"`
		Responses   object            `json:"responses"`
	}
	if err := json.Unmarshal(text, &op); err != nil {
		return err
	}
	at := make(map[[2]string]int) // of each place and name
	for _, raw := range slices.Concat(shared, op.Parameters) {
		p, err := r.parameter(raw)
		if err != nil {
			return err
		}
		if p == nil {
			continue
		}
		name := [2]string{p.In, p.Name}
		if i, known := at[name]; known {
			o.Params[i] = p // an operation's own parameter replaces that of its path
			continue
		}
		at[name] = len(o.Params)
		o.Params = append(o.Params, p)
	}
	if op.RequestBody != nil {
		b, use, err := r.body(op.RequestBody, r.requestBodies, "requestBody")
		if err != nil {
			return err
		}
		if use != nil {
			o.Request = &Field{Required: b.Required, Use: *use}
		}
	}
	for _, m := range op.Responses {
		status, err := strconv.Atoi(strings.ReplaceAll(m.name, "XX", "00"))
		if err != nil || status/100 != 2 {
			continue
		}
		_, use, err := r.body(m.value, r.responses, "response "+m.name)
		if err != nil {
			return err
		}
		if o.Statuses = append(o.Statuses, status); o.Response == nil {
			o.Response = use
		}
	}
	slices.Sort(o.Statuses)
	return nil
}

// parameter reads a parameter, nil for one whose value no JSON schema describes.
func (r *reader) parameter(raw json.RawMessage) (*Param, error) {
	var p parameter
	if err := json.Unmarshal(raw, &p); err != nil {
		return nil, fmt.Errorf("parameters: %w", err)
	}
	if p.Ref != "" {
		target, err := find(r.parameters, p.Ref, "#/components/parameters/")
		if err != nil {
			return nil, err
		}
		p = parameter{}
		if err := json.Unmarshal(target, &p); err != nil {
			return nil, fmt.Errorf("parameters: %w", err)
		}
	}
	if p.Name == "" || !slices.Contains([]string{"path", "query", "header", "cookie"}, p.In) {
		return nil, errors.New("a parameter lacks its name or its place")
	}
	if p.In == "header" && strings.EqualFold(p.Name, "authorization") {
		return nil, nil // the credential is no part of an operation
	}
	f, err := r.named(p.Name, p.Schema, 0)
	if err != nil {
		return nil, fmt.Errorf("%s parameter %s: %w", p.In, quote(p.Name), err)
	}
	f.Required = p.Required || p.In == "path"
	return &Param{In: p.In, Field: *f}, nil
}

// body reads a body, whose use is nil where it is not JSON.
func (r *reader) body(raw json.RawMessage, shared map[string]json.RawMessage, what string) (*body, *Use, error) {
	var b body
	if err := json.Unmarshal(raw, &b); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", what, err)
	}
	if b.Ref != "" {
		target, err := find(shared, b.Ref, map[bool]string{true: "#/components/requestBodies/", false: "#/components/responses/"}[what == "requestBody"])
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", what, err)
		}
		b = body{}
		if err := json.Unmarshal(target, &b); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", what, err)
		}
	}
	for _, m := range b.Content {
		kind, _, _ := strings.Cut(m.name, ";")
		if kind = strings.TrimSpace(kind); kind != "application/json" && kind != "*/*" {
			continue
		}
		var media struct {
			Schema json.RawMessage `json:"schema"`
		}
		if err := json.Unmarshal(m.value, &media); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", what, err)
		}
		use, err := r.use(media.Schema, 0)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", what, err)
		}
		return &b, &use, nil
	}
	return &b, nil, nil
}

func find(all map[string]json.RawMessage, ref, prefix string) (json.RawMessage, error) {
	name, ok := strings.CutPrefix(ref, prefix)
	if target := all[unescape(name)]; ok && target != nil {
		return target, nil
	}
	return nil, fmt.Errorf("$ref %s leads nowhere within the document", quote(ref))
}

// unescape reads a name within a JSON pointer.
func unescape(name string) string {
	return strings.NewReplacer("~1", "/", "~0", "~").Replace(name)
}

// quote returns a text of the document for a message: printable and short.
func quote(text string) string {
	const most = 100
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return strconv.Quote(text)
}

func byName(o object) map[string]json.RawMessage {
	all := make(map[string]json.RawMessage, len(o))
	for _, m := range o {
		all[m.name] = m.value
	}
	return all
}
