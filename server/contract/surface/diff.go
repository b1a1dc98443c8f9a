package surface

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Diff returns the differences from one surface to another, the gravest first. The
// sentences call the second surface "the document".
func Diff(before, after *Surface) []Finding {
	d := &differ{partial: before.Partial, index: make(map[string]int), seen: make(map[visit]int)}
	d.about(before, after)
	d.operations(before, after)
	slices.SortStableFunc(d.findings, func(a, b Finding) int {
		return slices.Index(classes, a.Class) - slices.Index(classes, b.Class)
	})
	return d.findings
}

type differ struct {
	partial  bool
	findings []Finding
	index    map[string]int // of findings by all but their places
	seen     map[visit]int
}

// visit is a comparison of two shapes in one part of an operation.
type visit struct {
	pair

	op   *Operation
	part string
}

// maxVisits is how often two shapes are compared in one part of an operation: types
// that hold each other several times would multiply otherwise.
const maxVisits = 16

// at is where the differ is.
type at struct {
	op      *Operation
	part    string
	request bool
	field   string
	// typ is the innermost type that has a name, and tail the path within it.
	typ, tail string
	under     []pair // the pairs of shapes around this place
}

type pair struct{ before, after *Shape }

func (a at) in(name string) at {
	a.field, a.tail = join(a.field, name), join(a.tail, name)
	return a
}

func join(path, name string) string {
	if path == "" || name == "" || name[0] == '[' || name[0] == '(' {
		return path + name
	}
	return path + "." + name
}

func (a at) subject() string {
	switch {
	case a.typ != "" && a.tail != "":
		return join(a.typ, a.tail)
	case a.typ != "":
		return a.typ
	}
	return strings.TrimSpace(a.op.Name + " " + a.part + " " + a.field)
}

// addf adds a finding, or a place to the finding that is there. Request and response
// use the same types and mean different things by them.
func (d *differ) addf(a at, class Class, change, format string, args ...any) {
	f := Finding{Class: class, Change: change, Subject: a.subject(), Text: fmt.Sprintf(format, args...)}
	key := strings.Join([]string{string(class), change, f.Subject, f.Text, strconv.FormatBool(a.request)}, "\x00")
	i, known := d.index[key]
	if !known {
		i = len(d.findings)
		d.index[key], d.findings = i, append(d.findings, f)
	}
	if a.op != nil {
		p := Place{a.op.Name, a.op.Route(), a.part, a.field}
		if a.part == "response" && a.op.ResponseField != "" {
			p.Field = join(a.op.ResponseField, a.field)
		}
		if !slices.Contains(d.findings[i].Places, p) {
			d.findings[i].Places = append(d.findings[i].Places, p)
		}
	}
}

// widenedf adds a finding for a place where more values are possible than before, and
// narrowed where fewer are.
func (d *differ) widenedf(a at, change, format string, args ...any) {
	d.addf(a, map[bool]Class{true: Additive, false: Breaking}[a.request], change, format, args...)
}

func (d *differ) narrowedf(a at, change, format string, args ...any) {
	switch {
	case a.request:
		d.addf(a, Breaking, change, format, args...)
	case !d.partial: // a response may promise more than is needed
		d.addf(a, Cosmetic, change, format, args...)
	}
}

func (d *differ) about(before, after *Surface) {
	for _, b := range before.About {
		for _, f := range after.About {
			if b.Name == f.Name && b.Value != f.Value {
				d.addf(at{typ: "document", tail: b.Name}, Cosmetic, changeAbout, "the document's %s is %s, and was %s", b.Name, orNone(f.Value), orNone(b.Value))
			}
		}
	}
}

func orNone(text string) string {
	if text == "" {
		return "not given"
	}
	return quote(text)
}

func (d *differ) operations(before, after *Surface) {
	byKey := make(map[string]*Operation)
	for _, o := range after.Operations {
		byKey[o.key()] = o
	}
	var gone, added []*Operation
	for _, o := range before.Operations {
		other := byKey[o.key()]
		if other == nil {
			gone = append(gone, o)
			continue
		}
		delete(byKey, o.key())
		d.operation(o, other)
	}
	for _, o := range after.Operations {
		if byKey[o.key()] == o {
			added = append(added, o)
		}
	}
	for _, o := range gone {
		if i := moved(o, added); i >= 0 {
			d.addf(at{op: o}, Breaking, changeRouteMoved, "the document has no route %s; it probably is %s now", quote(o.Route()), quote(added[i].Route()))
			d.operation(o, added[i])
			added = slices.Delete(added, i, i+1)
			continue
		}
		d.addf(at{op: o}, Breaking, changeRouteGone, "the document has no route %s", quote(o.Route()))
	}
	for _, o := range added {
		if below(o.Path, before.Prefix) {
			d.addf(at{op: o}, Additive, changeRouteNew, "the document has a route %s", quote(o.Route()))
		}
	}
}

// operation compares an operation that both have.
func (d *differ) operation(before, after *Operation) {
	if !slices.Equal(before.Statuses, after.Statuses) {
		d.addf(at{op: before, part: "response"}, Breaking, changeStatus, "a success has the status %s, and had %s", statuses(after), statuses(before))
	}
	d.pathParams(before, after)
	for _, in := range []string{"query", "header", "cookie"} {
		d.fields(at{op: before, part: in, request: true}, params(before, in), params(after, in))
	}
	request := at{op: before, part: "request", request: true}
	switch {
	case before.Request == nil && after.Request == nil:
	case before.Request == nil:
		d.addf(request, map[bool]Class{true: Breaking, false: Additive}[after.Request.Required], changeNew, "the document has a request body")
	case after.Request == nil:
		d.addf(request, Breaking, changeGone, "the document has no JSON body in the request")
	default:
		d.required(request, before.Request, after.Request)
		d.use(request, before.Request.Use, after.Request.Use)
	}
	response := at{op: before, part: "response"}
	switch {
	case before.Response == nil && after.Response == nil:
	case before.Response == nil:
		d.addf(response, Additive, changeNew, "the document has a body in the response")
	case after.Response == nil:
		d.addf(response, Breaking, changeGone, "the document has no JSON body in the response")
	default:
		d.use(response, *before.Response, *after.Response)
	}
}

func statuses(o *Operation) string {
	if len(o.Statuses) == 0 {
		return "none"
	}
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(o.Statuses), " ", " or "), "[]")
}

func params(o *Operation, in string) []*Field {
	var fields []*Field
	for _, p := range o.Params {
		if p.In == in {
			fields = append(fields, &p.Field)
		}
	}
	return fields
}

// pathParams compares the parameters in the path by their order: their names are not
// sent.
func (d *differ) pathParams(before, after *Operation) {
	old, now := inOrder(before), inOrder(after)
	for i := range min(len(old), len(now)) {
		a := at{op: before, part: "path", request: true}.in(old[i].Name)
		if old[i].Name != now[i].Name {
			d.addf(a, Cosmetic, changeRenamed, "the path parameter is called %s in the document", quote(now[i].Name))
		}
		d.use(a, old[i].Use, now[i].Use)
	}
}

// inOrder returns the path parameters as the path has them.
func inOrder(o *Operation) []*Field {
	fields := params(o, "path")
	slices.SortStableFunc(fields, func(a, b *Field) int {
		return strings.Index(o.Path, "{"+a.Name+"}") - strings.Index(o.Path, "{"+b.Name+"}")
	})
	return slices.DeleteFunc(fields, func(f *Field) bool { return !strings.Contains(o.Path, "{"+f.Name+"}") })
}

func (d *differ) required(a at, before, after *Field) {
	switch {
	case before.Required == after.Required:
	case a.request && after.Required:
		d.narrowedf(a, changeRequired, "the document requires it")
	case a.request:
		d.widenedf(a, changeRequired, "the document does not require it any more")
	case after.Required:
		d.narrowedf(a, changeRequired, "the document promises it in every response")
	default:
		d.widenedf(a, changeRequired, "a response may lack it")
	}
}

// fields compares fields by their names.
func (d *differ) fields(a at, before, after []*Field) {
	now := make(map[string]*Field, len(after))
	for _, f := range after {
		now[f.Name] = f
	}
	var gone []*Field
	for _, f := range before {
		other := now[f.Name]
		if other == nil {
			gone = append(gone, f)
			continue
		}
		delete(now, f.Name)
		d.field(a.in(f.Name), f, other)
	}
	var added []*Field
	for _, f := range after {
		if now[f.Name] == f {
			added = append(added, f)
		}
	}
	for _, f := range gone {
		what := a.in(f.Name)
		if i := renamed(f, before, added, after); i >= 0 {
			d.addf(what, Breaking, changeRenamed, "the document does not have it; it probably is called %s now", quote(added[i].Name))
			d.field(what, f, added[i])
			added = slices.Delete(added, i, i+1)
			continue
		}
		d.addf(what, Breaking, changeGone, "the document does not have it")
	}
	for _, f := range added {
		switch {
		case a.request && f.Required:
			d.addf(a.in(f.Name), Breaking, changeNew, "the document has it and requires it")
		default:
			d.addf(a.in(f.Name), Additive, changeNew, "the document has it, and the contract does not")
		}
	}
}

func (d *differ) field(a at, before, after *Field) {
	d.required(a, before, after)
	if !d.partial && before.Default != after.Default {
		class := Cosmetic
		if a.request && before.Default != "" && after.Default != "" {
			class = Breaking // the same request means something else
		}
		d.addf(a, class, changeDefault, "the default is %s, and was %s", orNone(after.Default), orNone(before.Default))
	}
	d.use(a, before.Use, after.Use)
}

// use compares the values at one place.
func (d *differ) use(a at, before, after Use) {
	untyped := before.Kind == Any || after.Kind == Any
	if before.Null != after.Null && !untyped && !(d.partial && a.request) {
		if after.Null {
			d.widenedf(a, changeNull, "it may be null")
		} else {
			d.narrowedf(a, changeNull, "it cannot be null any more")
		}
	}
	d.shape(a, before.Shape, after.Shape)
}

const maxNesting = 40

func (d *differ) shape(a at, before, after *Shape) {
	p := pair{before, after}
	if before == after || slices.Contains(a.under, p) || len(a.under) > maxNesting {
		return
	}
	v := visit{p, a.op, a.part}
	if d.seen[v]++; d.seen[v] > maxVisits {
		return
	}
	a.under = append(slices.Clone(a.under), p)
	if before.Kind != after.Kind {
		d.kind(a, before.Kind, after.Kind)
	}
	both := before.Kind & after.Kind
	if before.Kind == Any || after.Kind == Any {
		return // the one says nothing of what the other holds
	}
	if both&String != 0 {
		d.format(a, before.Format, after.Format)
	}
	d.enum(a, before, after)
	d.limits(a, before, after)
	if both&Object != 0 {
		d.object(a, before, after)
	}
	if both&Array != 0 && before.Items != nil && after.Items != nil {
		d.use(a.in("[]"), *before.Items, *after.Items)
	}
}

func (d *differ) kind(a at, before, after Kind) {
	const text = "it is %s, and was %s"
	switch {
	case d.partial && before == Any: // the contract leaves the value open
	case after&^before == 0:
		d.narrowedf(a, changeType, text, after, before)
	case before&^after == 0:
		d.widenedf(a, changeType, text, after, before)
	default:
		d.addf(a, Breaking, changeType, text, after, before)
	}
}

func (d *differ) format(a at, before, after string) {
	switch {
	case before == after:
	case before == "":
		d.narrowedf(a, changeFormat, "it must be a %s", quote(after))
	case after == "":
		d.widenedf(a, changeFormat, "it need not be a %s any more", quote(before))
	default:
		d.addf(a, Breaking, changeFormat, "it is a %s, and was a %s", quote(after), quote(before))
	}
}

func (d *differ) enum(a at, before, after *Shape) {
	switch {
	case before.Enum == nil && after.Enum == nil:
	case before.Enum == nil:
		d.narrowedf(a, changeType, "it must be one of %s", list(after.Enum))
	case after.Enum == nil:
		d.widenedf(a, changeType, "it may be any %s, and was one of %s", after.Kind, list(before.Enum))
	default:
		for _, v := range before.Enum {
			if !slices.Contains(after.Enum, v) {
				d.narrowedf(a, changeValueGone, "the document does not have the value %s", quote(v))
			}
		}
		for _, v := range after.Enum {
			if !slices.Contains(before.Enum, v) {
				d.widenedf(a, changeValueNew, "the document has a value %s", quote(v))
			}
		}
	}
}

func list(values []string) string {
	const most = 12
	var quoted []string
	for _, v := range values[:min(most, len(values))] {
		quoted = append(quoted, quote(v))
	}
	if len(values) > most {
		quoted = append(quoted, "…")
	}
	return strings.Join(quoted, ", ")
}

func (d *differ) limits(a at, before, after *Shape) {
	for _, name := range []string{"minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems"} {
		old, had := before.Limits[name]
		now, has := after.Limits[name]
		switch {
		case had == has && old == now:
		case !had:
			d.narrowedf(a, changeLimit, "it has the %s %v", name, now)
		case !has:
			d.widenedf(a, changeLimit, "it has no %s any more, and had %v", name, old)
		case narrower(name, old, now):
			d.narrowedf(a, changeLimit, "its %s is %v, and was %v", name, now, old)
		default:
			d.widenedf(a, changeLimit, "its %s is %v, and was %v", name, now, old)
		}
	}
}

// object compares the fields, the variants and the other keys of objects.
func (d *differ) object(a at, before, after *Shape) {
	if before.Name != "" {
		a.typ, a.tail = before.Name, ""
	}
	d.fields(a, before.Fields, after.Fields)
	for _, v := range before.Variants {
		if other := after.variant(v.Value); other != nil {
			d.shape(a.variant(v.Value), v.Shape, other.Shape)
		} else {
			d.narrowedf(a, changeValueGone, "the document does not have the variant %s", quote(v.Value))
		}
	}
	for _, v := range after.Variants {
		if before.variant(v.Value) == nil {
			d.widenedf(a, changeValueNew, "the document has a variant %s", quote(v.Value))
		}
	}
	d.keys(a, before, after)
}

// keys compares what the keys without a field may hold.
func (d *differ) keys(a at, before, after *Shape) {
	old, now := before.Keys.orAny(), after.Keys.orAny()
	switch {
	case old.Kind != Any && now.Kind != Any && old.Kind != 0 && now.Kind != 0:
		d.use(a.in("*"), old, now)
	case old.Kind == now.Kind:
		if (before.Keys == nil) != (after.Keys == nil) && !d.partial {
			d.addf(a, Cosmetic, changeKeys, "the document %s that it may have any other key, which was so before", map[bool]string{true: "says", false: "does not say"}[after.Keys != nil])
		}
	case len(before.Fields)+len(before.Variants) > 0:
		// No request has keys that the contract does not know.
		if !d.partial {
			d.addf(a, Cosmetic, changeKeys, "its other keys hold %s, and held %s", now.Kind, old.Kind)
		}
	default:
		d.kind(a.in("*"), old.Kind, now.Kind)
	}
}

func (u *Use) orAny() Use {
	if u == nil {
		return Use{&Shape{Kind: Any}, true}
	}
	return *u
}

func (s *Shape) variant(value string) *Variant {
	for _, v := range s.Variants {
		if v.Value == value {
			return v
		}
	}
	return nil
}

// variant returns the place within one of an object's variants.
func (a at) variant(value string) at {
	a.field, a.tail = join(a.field, "("+value+")"), join(a.tail, "("+value+")")
	return a
}
