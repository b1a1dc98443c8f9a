package exchange

import "strings"

// Drift is one place where a response departs from the contract. It holds names,
// never values.
type Drift struct {
	// Path leads to the place: the names of fields, and "*" for the entries of a
	// map, whose keys are data.
	Path []string
	// Kind says in a word or two what is wrong there: "unknown_field", "missing".
	Kind string
	// Kept reports whether the contract allows what is there, and the message holds
	// it in another form.
	Kept bool
}

// String returns the drift as logs and metrics show it: "path.to.field: kind".
func (d Drift) String() string { return strings.Join(d.Path, ".") + ": " + d.Kind }
