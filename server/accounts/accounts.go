// Package accounts reads the file of accounts (--accounts-file) and decides what its
// callers may do. The file lists Diga's projects as accounts, with references to their
// tokens; the issuers of callers' tokens; and the callers, with the names they are
// recognised by and the accounts, methods and templates they may use. Everything else is
// refused.
package accounts

import (
	"slices"
	"strings"
	"time"
)

// Set is the content of one version of the file. It is immutable and safe for concurrent
// use.
type Set struct {
	accounts map[string]*Account
	issuers  map[string]*Issuer
	callers  map[string]*Caller

	byDNS, byURI map[string]*Caller
	byToken      map[string][]tokenIdentity // by the issuer's name
}

// Quota is a limit on the rate of requests. The zero Quota has no limits.
type Quota struct {
	// PerSecond is the maximum number of requests per second. 0 means no limit.
	PerSecond float64
	// CopiesPerDay is the maximum number of copies of templates per day. -1 means no limit.
	CopiesPerDay int
}

// Account is one of Diga's projects.
type Account struct {
	// Name is the account's name in the file, and Line its line.
	Name string
	Line int
	Quota
	// Token is the account's bearer token for Diga.
	Token *Token
}

// Issuer issues callers' tokens.
type Issuer struct {
	// Name is the issuer's name in the file, and Line its line.
	Name string
	Line int
	// Issuer is the value of the claim iss in its tokens.
	Issuer string
	// Audience is a value that the claim aud of its tokens must contain.
	Audience string
	// Keys is the URL of its key set (RFC 7517). The scheme is file or https, or http on
	// loopback.
	Keys string
	// Algorithms are the permitted signature algorithms of its tokens.
	Algorithms []string
	// Leeway is how far its clock and this one may differ.
	Leeway time.Duration
}

// equal reports whether two issuers are the same apart from their lines.
func (i *Issuer) equal(o *Issuer) bool {
	return i.Name == o.Name && i.Issuer == o.Issuer && i.Audience == o.Audience && i.Keys == o.Keys &&
		i.Leeway == o.Leeway && slices.Equal(i.Algorithms, o.Algorithms)
}

// Caller is a client of digate.
type Caller struct {
	// Name is the caller's name in the file, and Line its line.
	Name string
	Line int
	Quota

	rules    []rule
	accounts []string // of all rules, sorted
}

// tokenIdentity is a caller with the claims by which its tokens are recognised.
type tokenIdentity struct {
	caller *Caller
	line   int
	claims map[string]string
}

// Account returns the account with a name, or nil if there is none.
func (s *Set) Account(name string) *Account { return s.accounts[name] }

// Caller returns the caller with a name, or nil if there is none.
func (s *Set) Caller(name string) *Caller { return s.callers[name] }

// Accounts returns the accounts, sorted by name.
func (s *Set) Accounts() []*Account { return sorted(s.accounts) }

// Issuers returns the issuers, sorted by name.
func (s *Set) Issuers() []*Issuer { return sorted(s.issuers) }

// Callers returns the callers, sorted by name.
func (s *Set) Callers() []*Caller { return sorted(s.callers) }

// SameIssuers reports whether two sets have the same issuers with the same properties.
func (s *Set) SameIssuers(o *Set) bool {
	return slices.EqualFunc(s.Issuers(), o.Issuers(), (*Issuer).equal)
}

// HasCertificates reports whether any caller is recognised by a certificate.
func (s *Set) HasCertificates() bool { return len(s.byDNS)+len(s.byURI) > 0 }

// ByNames returns the callers to whom the names in a client certificate belong, each
// once. It compares DNS names without regard to case (RFC 4343), and URIs exactly.
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

// ByClaims returns the callers to whom a token of an issuer belongs, each once. has
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

// Accounts returns the names of all accounts that a rule of the caller allows, sorted.
// The slice must not be modified.
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
