// Package surface compares what two contracts promise about a REST API: the
// operations, their parameters, and the fields of their requests and responses. A
// surface is made from digate's own contract or from an OpenAPI document.
package surface

import (
	"slices"
	"strings"
)

// Surface is what a contract promises.
type Surface struct {
	// About is what a document says of itself, such as its version.
	About      []Fact
	Operations []*Operation
	// Partial reports whether the contract names only what it needs. What it does
	// not say, another surface may say as it likes.
	Partial bool
	// Prefix is the path below which operations matter, empty for all of them.
	Prefix string
}

// Fact is one thing that a document says of itself.
type Fact struct{ Name, Value string }

// Operation is one HTTP request and the response to its success.
type Operation struct {
	// Name is the name for people: that of the RPC, or the route.
	Name string
	Verb string
	// Path is the path with its parameters in braces.
	Path   string
	Params []*Param
	// Request is the JSON body, nil where there is none.
	Request *Field
	// Statuses are the HTTP statuses of a success, in ascending order.
	Statuses []int
	// Response is the JSON body of a success, nil where there is none.
	Response *Use
	// ResponseField is the field of the response message that is the body, empty
	// where it is the message itself.
	ResponseField string
}

// Route returns the verb and the path.
func (o *Operation) Route() string { return o.Verb + " " + o.Path }

// Param is a parameter outside of the body.
type Param struct {
	In string // path, query, header or cookie
	Field
}

// Field is a named value.
type Field struct {
	Name     string
	Required bool
	// Default is the JSON text of the value that an absent field has, empty where
	// none is given.
	Default string
	Use
}

// Use is a shape at one place.
type Use struct {
	*Shape
	// Null reports whether the value may be null.
	Null bool
}

// Kind is a set of JSON types, without null.
type Kind uint8

// The JSON types.
const (
	String Kind = 1 << iota
	Integer
	Fraction // a number that is no integer
	Boolean
	Object
	Array

	Number = Integer | Fraction
	Any    = String | Number | Boolean | Object | Array
)

func (k Kind) String() string {
	if k == Any {
		return "any value"
	}
	var names []string
	for _, n := range []struct {
		kind Kind
		name string
	}{{String, "string"}, {Number, "number"}, {Integer, "integer"}, {Boolean, "boolean"}, {Object, "object"}, {Array, "array"}} {
		if k&n.kind == n.kind {
			names = append(names, n.name)
			k &^= n.kind
		}
	}
	if names == nil {
		return "no value"
	}
	return strings.Join(names, " or ")
}

// Shape is what a value looks like. Shapes may hold themselves.
type Shape struct {
	// Name is the name of the type, empty where it has none.
	Name string
	Kind Kind
	// Format restricts a string, such as "uuid".
	Format string
	// Enum are the values, empty where any value of the kind may be.
	Enum []string
	// Limits restrict the value by keyword, such as "maximum".
	Limits map[string]float64
	// Fields are the known keys of an object, in order.
	Fields []*Field
	// Keys is the value of each other key of an object, nil where nothing is said.
	Keys *Use
	// Items is an element of an array, nil where nothing is said.
	Items *Use
	// Variants are the shapes that an object may have instead, by the value that
	// tells them apart.
	Variants []*Variant
}

// Variant is one of the shapes that an object may have.
type Variant struct {
	Value string
	*Shape
}

func (s *Shape) field(name string) *Field {
	for _, f := range s.Fields {
		if f.Name == name {
			return f
		}
	}
	return nil
}

// normal is a path without the names of its parameters, which are not sent.
func normal(path string) string {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		open := strings.IndexByte(p, '{')
		end := strings.LastIndexByte(p, '}')
		if open >= 0 && end > open {
			parts[i] = p[:open] + "{}" + p[end+1:]
		}
	}
	return strings.Join(parts, "/")
}

// key identifies an operation on the wire.
func (o *Operation) key() string { return o.Verb + " " + normal(o.Path) }

// below reports whether a path is the prefix or below it.
func below(path, prefix string) bool {
	rest, ok := strings.CutPrefix(path, prefix)
	return ok && (rest == "" || prefix == "" || rest[0] == '/' || rest[0] == ':')
}

// commonPrefix returns the literal segments that all paths begin with.
func commonPrefix(operations []*Operation) string {
	var common []string
	for i, o := range operations {
		parts := strings.Split(o.Path, "/")
		if end := slices.IndexFunc(parts, func(p string) bool { return strings.ContainsAny(p, "{:") }); end >= 0 {
			parts = parts[:end]
		}
		if i == 0 {
			common = parts
			continue
		}
		n := 0
		for n < len(common) && n < len(parts) && common[n] == parts[n] {
			n++
		}
		common = common[:n]
	}
	return strings.Join(common, "/")
}
