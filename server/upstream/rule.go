package upstream

import "github.com/digate/digate/server/contract"

// rule is the HTTP form of a method, for encoding.
type rule struct {
	*contract.Binding
	// write means that the call may change something at Diga.
	write bool
	// template is the contract's path template, and span the name of the method's spans.
	template, span string
}

// compile returns the rules of all methods that Diga has, by full gRPC name.
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
