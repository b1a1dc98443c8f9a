package exchange

import "strings"

// Drift is one deviation of a response from the contract. It has names but no values.
type Drift struct {
	// Path is the location: the names of fields, with "*" for the entries of a map,
	// because map keys are data.
	Path []string
	// Kind is the kind of deviation in a word or two, such as "unknown_field" or
	// "missing".
	Kind string
	// Kept means that the contract allows the value, and that the message has it in
	// another form.
	Kept bool
}

// String returns the drift in the form for logs and metrics: "path.to.field: kind".
func (d Drift) String() string { return strings.Join(d.Path, ".") + ": " + d.Kind }
