package accounts

import (
	"fmt"
	"strings"
)

// rule is an entry of a caller's allow list: every account of it with every method of
// it, on every template of it.
type rule struct {
	line      int
	accounts  map[string]int // the lines of the names, or of the patterns that hold them
	methods   map[string]int
	templates map[string]int // nil for every template
}

// Question is what a caller wants to do.
type Question struct {
	// Account is the name of an account, Method that of a method without its service.
	Account, Method string
	// Template is the id of the template that the request names, empty where it names
	// none.
	Template string
}

// Decision is whether a caller may do something, and why.
type Decision struct {
	Allowed bool
	// Rule, Account, Method and Template are the lines that allow it; Template is 0
	// where the rule holds for every template, or the request names none.
	Rule, Account, Method, Template int
	// Limited reports whether the rule holds for certain templates only, and the request
	// names none.
	Limited bool
	// Refusal says what is not allowed, where it is not.
	Refusal string
}

// Decide reports whether the caller may do what is asked. One rule has to allow all of
// it. A rule's templates bind the requests that name a template, and no others.
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
