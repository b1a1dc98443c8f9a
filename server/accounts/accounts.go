// Package accounts holds which callers there are and what each may do: the file of
// --accounts-file. It names Diga's projects as accounts, each with its token by
// reference, who signs callers' tokens, and for every caller how it is recognised
// and which accounts, methods and templates it may use. What the file does not
// allow is refused.
package accounts

import (
	"slices"
	"strings"
	"time"
)

// Set is what one version of the file says. It does not change: many goroutines may
// use it.
type Set struct {
	accounts map[string]*Account
	issuers  map[string]*Issuer
	callers  map[string]*Caller

	byDNS, byURI map[string]*Caller
	byToken      map[string][]tokenIdentity // by the issuer's name
}

// Quota bounds what is done in a time. The zero value bounds nothing.
type Quota struct {
	// PerSecond is how many requests may be made a second, 0 for no bound.
	PerSecond float64
	// CopiesPerDay is how many integrations and tools may be created a day, -1 for no
	// bound.
	CopiesPerDay int
}

// Account is one of Diga's projects.
type Account struct {
	// Name is the name in the file, and Line its line.
	Name string
	Line int
	Quota
	// Token is where the account's bearer token for Diga is.
	Token *Token
}

// Issuer signs the tokens of callers.
type Issuer struct {
	// Name is the name in the file, and Line its line.
	Name string
	Line int
	// Issuer is the claim iss of its tokens.
	Issuer string
	// Audience is what the claim aud of its tokens must hold.
	Audience string
	// Keys is the URL of its key set (RFC 7517): file or https, or http on loopback.
	Keys string
	// Algorithms are the signature algorithms that its tokens may have.
	Algorithms []string
	// Leeway is how far its clock may be from this one.
	Leeway time.Duration
}

// equal reports whether two issuers are the same but for their lines.
func (i *Issuer) equal(o *Issuer) bool {
	return i.Name == o.Name && i.Issuer == o.Issuer && i.Audience == o.Audience && i.Keys == o.Keys &&
		i.Leeway == o.Leeway && slices.Equal(i.Algorithms, o.Algorithms)
}

// Caller is somebody who calls digate.
type Caller struct {
	// Name is the name in the file, and Line its line.
	Name string
	Line int
	Quota

	rules    []rule
	accounts []string // those of any rule, sorted
}

// tokenIdentity is a caller that is recognised by claims of a token.
type tokenIdentity struct {
	caller *Caller
	line   int
	claims map[string]string
}

// Account returns the account with a name, nil where there is none.
func (s *Set) Account(name string) *Account { return s.accounts[name] }

// Caller returns the caller with a name, nil where there is none.
func (s *Set) Caller(name string) *Caller { return s.callers[name] }

// Accounts returns the accounts, sorted by name.
func (s *Set) Accounts() []*Account { return sorted(s.accounts) }

// Issuers returns the issuers, sorted by name.
func (s *Set) Issuers() []*Issuer { return sorted(s.issuers) }

// Callers returns the callers, sorted by name.
func (s *Set) Callers() []*Caller { return sorted(s.callers) }

// SameIssuers reports whether two sets trust the same issuers in the same way.
func (s *Set) SameIssuers(o *Set) bool {
	return slices.EqualFunc(s.Issuers(), o.Issuers(), (*Issuer).equal)
}

// HasCertificates reports whether a caller is recognised by a certificate.
func (s *Set) HasCertificates() bool { return len(s.byDNS)+len(s.byURI) > 0 }

// ByNames returns the callers that names of a client certificate belong to, each
// once. DNS names are compared without their case (RFC 4343), URIs as they are.
func (s *Set) ByNames(dns, uris []string) []*Caller {
	var found []*Caller
	add := func(c *Caller) {
		if c != nil && !slices.Contains(found, c) {
			found = append(found, c)
		}
	}
	for _, name := range dns {
		add(s.byDNS[strings.ToLower(name)])
	}
	for _, uri := range uris {
		add(s.byURI[uri])
	}
	return found
}

// ByClaims returns the callers that a token of an issuer belongs to, each once. Has
// reports whether the token has a claim with a value.
func (s *Set) ByClaims(issuer string, has func(claim, value string) bool) []*Caller {
	var found []*Caller
	for _, identity := range s.byToken[issuer] {
		matches := true
		for claim, value := range identity.claims {
			matches = matches && has(claim, value)
		}
		if matches && !slices.Contains(found, identity.caller) {
			found = append(found, identity.caller)
		}
	}
	return found
}

// Accounts returns the names of the accounts that the caller may use for anything,
// sorted. The slice must not be changed.
func (c *Caller) Accounts() []string { return c.accounts }

func sorted[T any](byName map[string]*T) []*T {
	names := make([]string, 0, len(byName))
	for name := range byName {
		names = append(names, name)
	}
	slices.Sort(names)
	all := make([]*T, len(names))
	for i, name := range names {
		all[i] = byName[name]
	}
	return all
}
