package contract

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// conflicts returns the errors that no rule shows by itself: routes that hide each
// other, and request messages that are read in two ways.
func (c *Contract) conflicts() []error {
	var errs []error
	bodies := make(map[protoreflect.FullName]*Method)
	for i, m := range c.methods {
		if m.Binding == nil {
			continue
		}
		for _, earlier := range c.methods[:i] {
			// grpc-gateway asks the route that was registered last first.
			if earlier.Binding != nil && earlier.Binding.Verb == m.Binding.Verb && m.Binding.hides(earlier.Binding) {
				errs = append(errs, fmt.Errorf("%s: its path takes requests that are %s's; put it before that method, or change it",
					m.Descriptor.FullName(), earlier.Descriptor.FullName()))
			}
		}
		if m.Binding.Body == nil {
			continue
		}
		// The gateway finds a body's codec by the request message.
		name := m.Descriptor.Input().FullName()
		if other := bodies[name]; other != nil && !slices.Equal(sorted(other.Binding.InPath()), sorted(m.Binding.InPath())) {
			errs = append(errs, fmt.Errorf("%s: %s is the body of %s too, with other fields in the path",
				m.Descriptor.FullName(), name, other.Descriptor.FullName()))
		}
		bodies[name] = m
	}
	return errs
}

func sorted(names []string) []string {
	slices.Sort(names)
	return names
}

// hides reports whether there is a path that both bindings match and of which
// the other is the more literal one, or no less.
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

// overlap reports whether one text matches both segments.
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

// rank orders segments by how much of them is literal.
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
