package contract

import "fmt"

// conflicts returns the errors that concern several rules: routes that hide each other.
func (c *Contract) conflicts() []error {
	var errs []error
	for i, m := range c.methods {
		if m.Binding == nil {
			continue
		}
		for _, earlier := range c.methods[:i] {
			// The gateway tries the last route first.
			if earlier.Binding != nil && earlier.Binding.Verb == m.Binding.Verb && m.Binding.hides(earlier.Binding) {
				errs = append(errs, fmt.Errorf("%s: its path takes requests that are %s's; put it before that method, or change it",
					m.Descriptor.FullName(), earlier.Descriptor.FullName()))
			}
		}
	}
	return errs
}

// hides reports whether both bindings match some path for which the other one is at least
// as literal.
func (b *Binding) hides(other *Binding) bool {
	if len(b.Path) != len(other.Path) {
		return false
	}
	for i := range b.Path {
		if !overlap(&b.Path[i], &other.Path[i]) {
			return false
		}
	}
	for i := range b.Path {
		if mine, its := b.Path[i].rank(), other.Path[i].rank(); mine != its {
			return mine < its
		}
	}
	return true
}

// overlap reports whether some text matches both segments.
func overlap(a, b *Segment) bool {
	switch {
	case a.Field == nil && b.Field == nil:
		return a.Literal == b.Literal
	case a.Field == nil:
		return b.match(a.Literal)
	case b.Field == nil:
		return a.match(b.Literal)
	default:
		return a.Suffix == b.Suffix || a.Suffix == "" || b.Suffix == ""
	}
}

// rank orders segments by how literal they are.
func (s *Segment) rank() int {
	switch {
	case s.Field == nil:
		return 2
	case s.Suffix != "":
		return 1
	default:
		return 0
	}
}
