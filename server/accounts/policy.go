package accounts

import (
	"fmt"
	"strings"
)

// rule is an entry of a caller's allow list. It allows each of its methods in each of its
// accounts, for each of its templates.
type rule struct {
	line      int
	accounts  map[string]int // by name: the line of the name, or of the pattern that matches it
	methods   map[string]int
	templates map[string]int // nil for every template
}

// Question is a call that [Caller.Decide] decides about.
type Question struct {
	// Account is the name of an account, and Method the name of a method without its
	// service.
	Account, Method string
	// Template is the id of the template in the request. It is empty if the request has
	// none.
	Template string
}

// Decision is whether a caller may make a call, and why.
type Decision struct {
	Allowed bool
	// Rule, Account, Method and Template are the lines of the file that allow the call.
	// Template is 0 if the rule applies to every template or the request names none.
	Rule, Account, Method, Template int
	// Limited means that the rule has a list of templates and the request names no
	// template.
	Limited bool
	// Refusal is why the call is not allowed. It is empty if the call is allowed.
	Refusal string
}

// Decide decides whether the caller may make a call. A single rule must allow all of it.
// A rule's templates apply only to requests that name a template.
func (c *Caller) Decide(q Question) Decision {
	d := Decision{}
	var hasAccount, hasMethod bool
	var limited Decision
	for i := range c.rules {
		r := &c.rules[i]
		account, ok := r.accounts[q.Account]
		if !ok {
			continue
		}
		hasAccount = true
		method, ok := r.methods[q.Method]
		if !ok {
			continue
		}
		hasMethod = true
		allowed := Decision{Allowed: true, Rule: r.line, Account: account, Method: method}
		switch {
		case r.templates == nil:
			return allowed
		case q.Template == "":
			if allowed.Limited = true; !limited.Allowed {
				limited = allowed
			}
			continue
		}
		if allowed.Template, ok = r.templates[strings.ToLower(q.Template)]; !ok {
			continue
		}
		return allowed
	}
	switch {
	case limited.Allowed:
		return limited
	case !hasAccount:
		d.Refusal = fmt.Sprintf("%s may not use the account %s", c.Name, q.Account)
	case !hasMethod:
		d.Refusal = fmt.Sprintf("%s may not call %s in the account %s", c.Name, q.Method, q.Account)
	default:
		d.Refusal = fmt.Sprintf("%s may not call %s with this template in the account %s", c.Name, q.Method, q.Account)
	}
	return d
}
