package upstream

import "github.com/digate/digate/server/contract"

// rule is a method's HTTP form, as it is encoded.
type rule struct {
	*contract.Binding
	// write reports whether the call may change something upstream.
	write bool
}

// compile returns the rules of every method that the upstream has, by full gRPC
// name.
func compile(c *contract.Contract) map[string]*rule {
	rules := make(map[string]*rule)
	for _, m := range c.Methods() {
		if !m.FacadeOnly {
			rules[m.FullName] = &rule{Binding: m.Binding, write: m.Write}
		}
	}
	return rules
}
