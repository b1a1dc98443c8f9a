package surface

import (
	"fmt"
	"slices"
	"strings"
)

// Class is what a finding means to those who rely on the contract.
type Class string

// The classes, from the gravest down.
const (
	// Breaking: a request that the contract allows may be refused or lose something,
	// or a response may lack or change what the contract promises.
	Breaking Class = "breaking"
	// Additive: more may be sent or is returned, and all that worked works.
	Additive Class = "additive"
	// Cosmetic: neither what may be sent nor what must be expected grows or changes.
	Cosmetic Class = "cosmetic"
)

// classes are all classes, from the gravest down.
var classes = []Class{Breaking, Additive, Cosmetic}

// AtLeast reports whether a class is as grave as another or graver.
func (c Class) AtLeast(other Class) bool {
	return slices.Index(classes, c) <= slices.Index(classes, other)
}

// Kind words of a change, stable for scripts.
const (
	changeRouteGone  = "route_gone"
	changeRouteNew   = "route_new"
	changeRouteMoved = "route_moved"
	changeGone       = "gone"
	changeNew        = "new"
	changeRenamed    = "renamed"
	changeRequired   = "required"
	changeNull       = "null"
	changeType       = "type"
	changeFormat     = "format"
	changeLimit      = "limit"
	changeDefault    = "default"
	changeValueGone  = "value_gone"
	changeValueNew   = "value_new"
	changeKeys       = "other_keys"
	changeStatus     = "status"
	changeAbout      = "about"
)

// Finding is one difference between two surfaces. A difference in a type is one
// finding, with every place where the type is used.
type Finding struct {
	Class  Class  `json:"class"`
	Change string `json:"change"`
	// Subject is what changed: a method, or a field with the name of its type.
	Subject string `json:"subject"`
	// Text is what changed, in one sentence.
	Text   string  `json:"text"`
	Places []Place `json:"places,omitempty"`
}

// Place is where a finding shows.
type Place struct {
	// Method is the name of the RPC, or the route where there is none.
	Method string `json:"method"`
	Route  string `json:"route"`
	// Part is path, query, header, cookie, request or response, empty for the method
	// as a whole.
	Part string `json:"part,omitempty"`
	// Field is the path of the field within the part.
	Field string `json:"field,omitempty"`
}

func (p Place) String() string {
	return strings.TrimSpace(fmt.Sprintf("%s %s %s", p.Method, p.Part, p.Field))
}

// Count returns how many findings there are of each class.
func Count(findings []Finding) map[Class]int {
	n := make(map[Class]int)
	for _, c := range classes {
		n[c] = 0
	}
	for _, f := range findings {
		n[f.Class]++
	}
	return n
}
