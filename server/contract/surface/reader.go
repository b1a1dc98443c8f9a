package surface

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

var (
	errTooLarge = fmt.Errorf("the document describes more than %d values", maxShapes)
	errTooDeep  = fmt.Errorf("a schema is nested more than %d deep", maxDepth)
)

// reader makes shapes of schemas. A schema that has a name is read once, so that
// schemas may hold themselves.
type reader struct {
	schemas, parameters, requestBodies, responses map[string]json.RawMessage

	known  map[string]*Use
	shapes int
	// combine fills the shapes that are made of others. Those may be under way when
	// the shape is made, so it runs after all of them.
	combine []func()
}

func newReader(d *document) *reader {
	return &reader{
		schemas: byName(d.Components.Schemas), parameters: byName(d.Components.Parameters),
		requestBodies: byName(d.Components.RequestBodies), responses: byName(d.Components.Responses),
		known: make(map[string]*Use),
	}
}

func (r *reader) finish() {
	for _, f := range r.combine {
		if r.shapes > maxShapes {
			return
		}
		f()
	}
}

func (r *reader) add(s Shape) *Shape {
	r.shapes++
	return &s
}

// named reads a schema with what concerns the place where it is used.
func (r *reader) named(name string, raw json.RawMessage, depth int) (*Field, error) {
	use, err := r.use(raw, depth)
	if err != nil {
		return nil, err
	}
	f := &Field{Name: name, Use: use}
	var at struct {
		Default json.RawMessage `json:"default"`
	}
	if json.Unmarshal(raw, &at) == nil && at.Default != nil {
		var b bytes.Buffer
		_ = json.Compact(&b, at.Default) // decoded before
		f.Default = b.String()
	}
	return f, nil
}

// use reads a schema.
func (r *reader) use(raw json.RawMessage, depth int) (Use, error) {
	if depth > maxDepth {
		return Use{}, errTooDeep
	}
	if r.shapes > maxShapes {
		return Use{}, errTooLarge
	}
	switch text := string(bytes.TrimSpace(raw)); text {
	case "", "true", "{}":
		return Use{r.add(Shape{Kind: Any}), true}, nil
	case "false":
		return Use{r.add(Shape{}), false}, nil
	}
	var s schema
	if err := json.Unmarshal(raw, &s); err != nil {
		return Use{}, fmt.Errorf("schema: %w", err)
	}
	own, restricts, err := r.own(&s, depth)
	if err != nil {
		return Use{}, err
	}
	parts, err := r.applied(&s, depth)
	if err != nil {
		return Use{}, err
	}
	if restricts {
		parts = slices.Insert(parts, 0, own)
	}
	switch len(parts) { // all of them hold
	case 0:
		return own, nil
	case 1:
		parts[0].Null = parts[0].Null || s.Nullable
		return parts[0], nil
	}
	whole := Use{r.add(Shape{}), true}
	for _, p := range parts {
		whole.Null = whole.Null && p.Null
	}
	required := s.allRequired()
	r.combine = append(r.combine, func() {
		r.intersect(whole.Shape, parts)
		whole.require(required)
	})
	return whole, nil
}

// applied reads the other schemas that a value must fit as well.
func (r *reader) applied(s *schema, depth int) (parts []Use, err error) {
	if s.Ref != "" {
		use, err := r.ref(s.Ref, depth)
		if err != nil {
			return nil, err
		}
		parts = append(parts, use)
	}
	for _, raw := range s.AllOf {
		use, err := r.use(raw, depth+1)
		if err != nil {
			return nil, err
		}
		parts = append(parts, use)
	}
	for _, choices := range [][]json.RawMessage{s.AnyOf, s.OneOf} {
		if choices == nil {
			continue
		}
		use, err := r.choice(s, choices, depth)
		if err != nil {
			return nil, err
		}
		parts = append(parts, use)
	}
	return parts, nil
}

func (r *reader) ref(ref string, depth int) (Use, error) {
	name := unescape(strings.TrimPrefix(ref, "#/components/schemas/"))
	if use := r.known[name]; use != nil {
		if use.Shape == nil {
			return Use{}, fmt.Errorf("$ref %s leads to itself", quote(ref))
		}
		return *use, nil
	}
	target, err := find(r.schemas, ref, "#/components/schemas/")
	if err != nil {
		return Use{}, err
	}
	var s schema
	if err := json.Unmarshal(target, &s); err != nil && !isBool(target) {
		return Use{}, fmt.Errorf("schema %s: %w", quote(name), err)
	}
	// A chain of names without a shape of its own may not come back to its start. Any
	// other shape is there before what it holds, so that it may hold itself.
	use := new(Use)
	r.known[name] = use
	if s.Ref == "" && s.AllOf == nil && !isBool(target) {
		_, null, _, err := s.kind()
		if err != nil {
			return Use{}, fmt.Errorf("schema %s: %w", quote(name), err)
		}
		_, _, nullValue := s.values()
		*use = Use{r.add(Shape{Name: name}), null && s.AnyOf == nil && s.OneOf == nil || nullValue}
	}
	made, err := r.use(target, depth+1)
	if err != nil {
		return Use{}, fmt.Errorf("schema %s: %w", quote(name), err)
	}
	if use.Shape == nil {
		*use = made
		return made, nil
	}
	use.Null = made.Null
	shape := use.Shape
	fill := func() { *shape = *made.Shape; shape.Name = name }
	fill()
	// Its parts may not have been complete yet.
	r.combine = append(r.combine, fill)
	return *use, nil
}

func isBool(raw json.RawMessage) bool {
	text := string(bytes.TrimSpace(raw))
	return text == "true" || text == "false"
}

// own reads the keywords of a schema that are about the value itself. restricts
// reports whether there are any.
func (r *reader) own(s *schema, depth int) (_ Use, restricts bool, err error) {
	kind, null, named, err := s.kind()
	if err != nil {
		return Use{}, false, err
	}
	shape := r.add(Shape{Kind: kind, Format: s.Format, Limits: s.limits()})
	if s.Enum != nil || s.Const != nil {
		values, kinds, nullValue := s.values()
		if shape.Enum = values; !named {
			shape.Kind = kinds
		}
		null, named = nullValue, true
	}
	for _, m := range s.Properties {
		f, err := r.named(m.name, m.value, depth+1)
		if err != nil {
			return Use{}, false, fmt.Errorf("%s: %w", quote(m.name), err)
		}
		f.Required = slices.Contains(s.Required, m.name)
		shape.Fields = append(shape.Fields, f)
	}
	if s.Keys != nil {
		keys, err := r.use(s.Keys, depth+1)
		if err != nil {
			return Use{}, false, fmt.Errorf("additionalProperties: %w", err)
		}
		shape.Keys = &keys
	}
	if s.Items != nil {
		items, err := r.use(s.Items, depth+1)
		if err != nil {
			return Use{}, false, fmt.Errorf("items: %w", err)
		}
		shape.Items = &items
	}
	return Use{shape, null}, named || shape.Format != "" || shape.Limits != nil, nil
}

// choice reads anyOf and oneOf.
func (r *reader) choice(s *schema, choices []json.RawMessage, depth int) (Use, error) {
	var uses []Use
	var names []string // by which the discriminator may know them
	null := false
	for _, raw := range choices {
		use, err := r.use(raw, depth+1)
		if err != nil {
			return Use{}, err
		}
		null = null || use.Null
		if use.Kind == 0 && use.Null && use.Name == "" && use.Variants == nil && isNull(raw) {
			continue
		}
		uses = append(uses, use)
		var at struct {
			Ref string `json:"$ref"`
		}
		_ = json.Unmarshal(raw, &at) // decoded before
		names = append(names, at.Ref)
	}
	switch len(uses) {
	case 0:
		if !null {
			return Use{}, errors.New("anyOf and oneOf must not be empty")
		}
		return Use{r.add(Shape{}), true}, nil
	case 1:
		uses[0].Null = null
		return uses[0], nil
	}
	whole := r.add(Shape{})
	r.combine = append(r.combine, func() { r.unite(whole, s, uses, names) })
	return Use{whole, null}, nil
}

func isNull(raw json.RawMessage) bool {
	var s schema
	if json.Unmarshal(raw, &s) != nil {
		return false
	}
	kind, null, named, err := s.kind()
	_, _, nullValue := s.values()
	return err == nil && kind == 0 && null && named || nullValue && len(s.Enum) <= 1
}

// unite fills a shape whose values may be of any of the others.
func (r *reader) unite(whole *Shape, s *schema, uses []Use, refs []string) {
	var objects []Use
	var objectRefs []string
	var rest []Use
	for i, u := range uses {
		if u.Kind == Object {
			objects, objectRefs = append(objects, u), append(objectRefs, refs[i])
		} else {
			rest = append(rest, u)
		}
	}
	if len(objects) == 1 {
		rest = append(rest, objects...)
	}
	enum, format := true, true
	for i, u := range rest {
		r.shapes += 1 + len(u.Fields)
		whole.Kind |= u.Kind
		enum = enum && u.Enum != nil
		whole.Enum = append(whole.Enum, u.Enum...)
		if format = format && (i == 0 || u.Format == whole.Format); format {
			whole.Format = u.Format
		}
		if u.Kind&Object != 0 {
			whole.Fields, whole.Keys, whole.Variants = u.Fields, u.Keys, u.Variants
		}
		if u.Kind&Array != 0 {
			if whole.Items == nil {
				whole.Items = u.Items
			} else {
				whole.Items = &Use{r.add(Shape{Kind: Any}), true}
			}
		}
	}
	if len(rest) == 1 && len(objects) < 2 {
		whole.Limits = rest[0].Limits
	}
	if !enum {
		whole.Enum = nil
	}
	if !format {
		whole.Format = ""
	}
	if len(objects) < 2 {
		return
	}
	whole.Kind |= Object
	tag, values := tags(s, objects, objectRefs)
	for i, u := range objects {
		shape := *u.Shape
		shape.Fields = slices.DeleteFunc(slices.Clone(shape.Fields), func(f *Field) bool { return f.Name == tag })
		r.shapes += 1 + len(shape.Fields)
		whole.Variants = append(whole.Variants, &Variant{values[i], &shape})
	}
}

// tags returns the key that tells objects apart, and its value in each. Without
// such a key the values are the names of the schemas.
func tags(s *schema, objects []Use, refs []string) (tag string, values []string) {
	for _, f := range objects[0].Fields {
		if s.Discriminator.PropertyName != "" && f.Name != s.Discriminator.PropertyName {
			continue
		}
		values = nil
		for _, o := range objects {
			g := o.field(f.Name)
			if g == nil || len(g.Enum) != 1 || slices.Contains(values, g.Enum[0]) {
				break
			}
			values = append(values, g.Enum[0])
		}
		if len(values) == len(objects) {
			return f.Name, values
		}
	}
	values = nil
	for i, ref := range refs {
		value := strings.TrimPrefix(ref, "#/components/schemas/")
		for _, v := range slices.Sorted(maps.Keys(s.Discriminator.Mapping)) {
			if target := s.Discriminator.Mapping[v]; ref != "" && (target == ref || target == value) {
				value = v
			}
		}
		if value == "" || slices.Contains(values, value) {
			value = fmt.Sprintf("variant %d", i+1)
		}
		values = append(values, value)
	}
	return s.Discriminator.PropertyName, values
}

// intersect fills a shape whose values must be of all the others.
func (r *reader) intersect(whole *Shape, parts []Use) {
	whole.Kind = Any
	for _, p := range parts {
		r.shapes += 1 + len(p.Fields)
		if whole.Name == "" {
			whole.Name = p.Name
		}
		if whole.Kind &= p.Kind; whole.Format == "" {
			whole.Format = p.Format
		}
		switch {
		case whole.Enum == nil:
			whole.Enum = slices.Clone(p.Enum)
		case p.Enum != nil:
			whole.Enum = slices.DeleteFunc(whole.Enum, func(v string) bool { return !slices.Contains(p.Enum, v) })
		}
		for name, v := range p.Limits {
			if whole.Limits == nil {
				whole.Limits = make(map[string]float64)
			}
			old, both := whole.Limits[name]
			if !both || narrower(name, old, v) {
				whole.Limits[name] = v
			}
		}
		for _, f := range p.Fields {
			i := slices.IndexFunc(whole.Fields, func(g *Field) bool { return g.Name == f.Name })
			if i < 0 {
				whole.Fields = append(whole.Fields, f)
				continue
			}
			both := *f
			both.Required = f.Required || whole.Fields[i].Required
			whole.Fields[i] = &both
		}
		if p.Keys != nil {
			whole.Keys = p.Keys
		}
		if p.Items != nil {
			whole.Items = p.Items
		}
		if p.Variants != nil {
			whole.Variants = p.Variants
		}
	}
}

// narrower reports whether a limit leaves fewer values than before.
func narrower(name string, before, now float64) bool {
	if strings.HasPrefix(name, "min") {
		return now > before
	}
	return now < before
}

// require marks fields as required, wherever in an allOf they are declared.
func (s *Shape) require(names []string) {
	for i, f := range s.Fields {
		if !f.Required && slices.Contains(names, f.Name) {
			required := *f
			required.Required = true
			s.Fields[i] = &required
		}
	}
}
