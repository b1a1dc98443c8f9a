package upstream

import "github.com/digate/digate/server/contract"

// rule is a method's HTTP form, as it is encoded.
type rule struct {
	*contract.Binding
	// write reports whether the call may change something upstream.
	write bool
	// template is the path as the contract has it, and span the name of its spans.
	template, span string
}

// compile returns the rules of every method that the upstream has, by full gRPC
// name.
func compile(c *contract.Contract) map[string]*rule {
	rules := make(map[string]*rule)
	for _, m := range c.Methods() {
		if !m.FacadeOnly {
			template := m.Binding.Template()
			rules[m.FullName] = &rule{Binding: m.Binding, write: m.Write, template: template, span: m.Binding.Verb + " " + template}
		}
	}
	return rules
}
