package accounts

import (
	"errors"
	"maps"
	"math"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/digate/digate/server/contract"
)

// The limits of quotas and of an issuer's leeway.
const (
	maxPerSecond = 1_000_000
	maxPerDay    = 1_000_000_000
	maxLeeway    = 10 * time.Minute
)

// Algorithms are the signature algorithms that tokens may have. Algorithms with a shared
// secret are not permitted: anyone who can verify such a token can also create one.
var Algorithms = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}

// DefaultLeeway is the leeway of issuers for which the file sets none.
const DefaultLeeway = 30 * time.Second

// Parse parses the file. If the file is invalid, the error is a [FileError] with all
// problems. Parse does not read the tokens.
func Parse(text []byte) (*Set, error) {
	top, err := document(text)
	if err != nil {
		return nil, err
	}
	r := reader{
		set: &Set{
			accounts: make(map[string]*Account), issuers: make(map[string]*Issuer), callers: make(map[string]*Caller),
			byDNS: make(map[string]*Caller), byURI: make(map[string]*Caller), byToken: make(map[string][]tokenIdentity),
		},
		methods: Methods(), lines: make(map[string]int),
	}
	r.fields(top, "the file",
		field{"accounts", true, func(n *yaml.Node) { r.names(n, "accounts", r.account) }},
		field{"issuers", false, func(n *yaml.Node) { r.names(n, "issuers", r.issuer) }},
		field{"callers", true, func(n *yaml.Node) { r.callers = n }},
	)
	if r.callers != nil { // callers come last because they refer to accounts and issuers
		r.names(r.callers, "callers", r.caller)
	}
	if err := r.err(); err != nil {
		return nil, err
	}
	return r.set, nil
}

// Methods returns the names of the contract's methods, without their services.
func Methods() []string {
	var names []string
	for _, service := range []protoreflect.ServiceDescriptor{contract.Integration(), contract.Ledger()} {
		for i := range service.Methods().Len() {
			names = append(names, string(service.Methods().Get(i).Name()))
		}
	}
	return names
}

// NamesTemplate reports whether a method's requests name a template, so that a rule's
// templates apply to them.
func NamesTemplate(method string) bool {
	md := contract.Integration().Methods().ByName(protoreflect.Name(method))
	return md != nil && namesTemplate(md.Input())
}

func namesTemplate(md protoreflect.MessageDescriptor) bool {
	for i := range md.Fields().Len() {
		fd := md.Fields().Get(i)
		if fd.Name() == "template_id" || fd.Message() != nil && fd.Message().ParentFile() == md.ParentFile() && namesTemplate(fd.Message()) {
			return true
		}
	}
	return false
}

// reader parses a file into its set.
type reader struct {
	FileError

	set     *Set
	callers *yaml.Node
	methods []string
	lines   map[string]int // by identity, to find duplicates
}

var namePattern = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,62}[A-Za-z0-9])?$`)

// names reads a mapping whose keys are names that the operator chose.
func (r *reader) names(n *yaml.Node, what string, read func(name string, key, value *yaml.Node)) {
	if n.Kind == yaml.MappingNode && len(n.Content) == 0 {
		r.addf(n.Line, "%s: must not be empty", what)
	}
	r.entries(n, what, func(key, value *yaml.Node) {
		if !namePattern.MatchString(key.Value) {
			r.addf(key.Line, "%s: %s is no name: at most 64 letters, digits and . _ -, of which the last three are not at either end", what, shorten(key.Value))
			return
		}
		read(key.Value, key, value)
	})
}

func (r *reader) account(name string, key, value *yaml.Node) {
	what := "account " + name
	a := &Account{Name: name, Line: key.Line, Quota: noQuota}
	r.set.accounts[name] = a
	r.fields(value, what, append(r.quota(what, &a.Quota),
		field{"token", true, func(n *yaml.Node) {
			if text, ok := r.text(n, what+", token"); ok {
				token, err := NewToken(text)
				if err != nil {
					r.addf(n.Line, "%s, token: %v", what, err)
				}
				a.Token = token
			}
		}})...)
}

var noQuota = Quota{CopiesPerDay: -1}

// quota returns the fields of a quota.
func (r *reader) quota(what string, q *Quota) []field {
	return []field{
		{"requests_per_second", false, func(n *yaml.Node) {
			x, err := strconv.ParseFloat(n.Value, 64)
			if n.Kind != yaml.ScalarNode || (n.Tag != "!!int" && n.Tag != "!!float") || err != nil || math.IsNaN(x) || x <= 0 || x > maxPerSecond {
				r.addf(n.Line, "%s, requests_per_second: must be a number above 0 and up to %d", what, maxPerSecond)
			}
			q.PerSecond = x
		}},
		{"copies_per_day", false, func(n *yaml.Node) {
			x, err := strconv.Atoi(n.Value)
			if n.Kind != yaml.ScalarNode || n.Tag != "!!int" || err != nil || x < 0 || x > maxPerDay {
				r.addf(n.Line, "%s, copies_per_day: must be a whole number between 0 and %d", what, maxPerDay)
			}
			q.CopiesPerDay = x
		}},
	}
}

func (r *reader) issuer(name string, key, value *yaml.Node) {
	what := "issuer " + name
	i := &Issuer{Name: name, Line: key.Line, Leeway: DefaultLeeway}
	text := func(name string, into *string) field {
		return field{name, true, func(n *yaml.Node) { *into, _ = r.text(n, what+", "+name) }}
	}
	r.fields(value, what,
		text("issuer", &i.Issuer), text("audience", &i.Audience),
		field{"keys", true, func(n *yaml.Node) {
			if text, ok := r.text(n, what+", keys"); ok {
				i.Keys = text
				if err := CheckKeys(text); err != nil {
					r.addf(n.Line, "%s, keys: %v", what, err)
				}
			}
		}},
		field{"algorithms", true, func(n *yaml.Node) {
			r.list(n, what+", algorithms", func(n *yaml.Node) {
				text, ok := r.text(n, what+", algorithms")
				if ok && !slices.Contains(Algorithms, text) {
					r.addf(n.Line, "%s, algorithms: %s is none of %s", what, shorten(text), strings.Join(Algorithms, ", "))
				}
				i.Algorithms = append(i.Algorithms, text)
			})
		}},
		field{"leeway", false, func(n *yaml.Node) {
			d, err := time.ParseDuration(n.Value)
			if n.Kind != yaml.ScalarNode || err != nil || d < 0 || d > maxLeeway {
				r.addf(n.Line, "%s, leeway: must be a time such as 30s, up to %v", what, maxLeeway)
			}
			i.Leeway = d
		}},
	)
	for _, other := range sorted(r.set.issuers) {
		if i.Issuer != "" && other.Issuer == i.Issuer {
			r.addf(key.Line, "%s: its tokens are those of %s (line %d), with the same issuer", what, other.Name, other.Line)
		}
	}
	r.set.issuers[name] = i
}

// CheckKeys returns an error unless the URL is a valid location of a key set. Plain HTTP
// is not permitted beyond loopback: anyone on the network path could replace the keys.
func CheckKeys(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return errors.New("must be a URL, such as https://idp.example/jwks.json or file:///etc/digate/jwks.json")
	case u.Scheme == "file" && u.Host == "" && strings.HasPrefix(u.Path, "/") && u.RawQuery == "" && u.Fragment == "":
		return nil
	case u.User != nil:
		return errors.New("must not hold a password")
	case u.Scheme == "https" && u.Host != "", u.Scheme == "http" && isLoopback(u.Hostname()):
		return nil
	default:
		return errors.New("must be https://HOST/PATH or file:///PATH; http:// only on loopback, since whoever can change the keys can make tokens")
	}
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

func (r *reader) caller(name string, key, value *yaml.Node) {
	what := "caller " + name
	c := &Caller{Name: name, Line: key.Line, Quota: noQuota}
	r.set.callers[name] = c
	r.fields(value, what, append(r.quota(what, &c.Quota),
		field{"identities", true, func(n *yaml.Node) {
			r.list(n, what+", identities", func(n *yaml.Node) { r.identity(c, what+", identities", n) })
		}},
		field{"allow", true, func(n *yaml.Node) {
			r.list(n, what+", allow", func(n *yaml.Node) { r.rule(c, what+", allow", n) })
		}})...)
	all := make(map[string]bool)
	for _, rule := range c.rules {
		for account := range rule.accounts {
			all[account] = true
		}
	}
	c.accounts = slices.Sorted(maps.Keys(all))
}

func (r *reader) identity(c *Caller, what string, n *yaml.Node) {
	if n.Kind == yaml.MappingNode && len(n.Content) != 2 {
		r.addf(n.Line, "%s: each entry has one key: dns, uri or token", what)
		return
	}
	r.fields(n, what,
		field{"dns", false, func(n *yaml.Node) {
			if text, ok := r.text(n, what+", dns"); ok {
				if strings.ContainsAny(text, "*/:@ ") {
					r.addf(n.Line, "%s, dns: must be one host name, without a pattern", what)
				}
				text = strings.ToLower(text)
				r.once(n.Line, c, "dns\x00"+text, what)
				r.set.byDNS[text] = c
			}
		}},
		field{"uri", false, func(n *yaml.Node) {
			if text, ok := r.text(n, what+", uri"); ok {
				if u, err := url.Parse(text); err != nil || u.Scheme == "" || strings.Contains(text, "*") {
					r.addf(n.Line, "%s, uri: must be one URI with its scheme, such as spiffe://example.org/billing, without a pattern", what)
				}
				r.once(n.Line, c, "uri\x00"+text, what)
				r.set.byURI[text] = c
			}
		}},
		field{"token", false, func(n *yaml.Node) { r.tokenIdentity(c, what+", token", n) }},
	)
}

// tokenIdentity reads the claims by which a token is recognised.
func (r *reader) tokenIdentity(c *Caller, what string, n *yaml.Node) {
	identity, issuer := tokenIdentity{caller: c, line: n.Line, claims: make(map[string]string)}, ""
	r.entries(n, what, func(key, value *yaml.Node) {
		text, ok := r.text(value, what+", "+key.Value)
		switch {
		case !ok:
		case key.Value != "issuer":
			identity.claims[key.Value] = text
		case r.set.issuers[text] == nil:
			r.addf(value.Line, "%s: there is no issuer %s%s", what, shorten(text), didYouMean(text, keys(r.set.issuers)))
		default:
			issuer = text
		}
	})
	for _, claim := range []string{"iss", "aud", "exp", "nbf", "iat"} {
		if _, ok := identity.claims[claim]; ok {
			r.addf(n.Line, "%s: the claim %s does not say who the caller is; the issuer checks it", what, claim)
		}
	}
	switch {
	case n.Kind != yaml.MappingNode:
		return
	case !hasKey(n, "issuer"):
		r.addf(n.Line, "%s: issuer is missing", what)
	case len(n.Content) <= 2:
		r.addf(n.Line, "%s: needs a claim beside the issuer, such as sub: everybody of that issuer would be this caller", what)
	case issuer != "":
		id := "token\x00" + issuer
		for _, claim := range slices.Sorted(maps.Keys(identity.claims)) {
			id += "\x00" + claim + "\x00" + identity.claims[claim]
		}
		r.once(n.Line, c, id, what)
		r.set.byToken[issuer] = append(r.set.byToken[issuer], identity)
	}
}

func hasKey(n *yaml.Node, name string) bool {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return true
		}
	}
	return false
}

// once adds a problem if the identity occurred before.
func (r *reader) once(line int, _ *Caller, id, what string) {
	if first := r.lines[id]; first != 0 {
		r.addf(line, "%s: the same identity is in line %d", what, first)
		return
	}
	r.lines[id] = line
}

func (r *reader) rule(c *Caller, what string, n *yaml.Node) {
	rule := rule{line: n.Line, accounts: make(map[string]int), methods: make(map[string]int)}
	r.fields(n, what,
		field{"accounts", true, func(n *yaml.Node) {
			r.patterns(n, what+", accounts", "account", keys(r.set.accounts), rule.accounts)
		}},
		field{"methods", true, func(n *yaml.Node) {
			r.patterns(n, what+", methods", "method", r.methods, rule.methods)
		}},
		field{"templates", false, func(n *yaml.Node) {
			rule.templates = make(map[string]int)
			r.list(n, what+", templates", func(n *yaml.Node) {
				text, ok := r.text(n, what+", templates")
				if ok && (len(text) != 36 || uuid.Validate(text) != nil) {
					r.addf(n.Line, "%s, templates: %s is no id of a template, which is a UUID", what, shorten(text))
				}
				rule.templates[strings.ToLower(text)] = n.Line
			})
		}},
	)
	c.rules = append(c.rules, rule)
}

// patterns reads a list of names and of prefixes that end in *. It adds each of the
// existing names that an entry matches to into, with the line of the entry.
func (r *reader) patterns(n *yaml.Node, what, noun string, names []string, into map[string]int) {
	r.list(n, what, func(n *yaml.Node) {
		text, ok := r.text(n, what)
		if !ok {
			return
		}
		beginning, isPattern := strings.CutSuffix(text, "*")
		matches := 0
		for _, name := range names {
			if name == text || isPattern && strings.HasPrefix(name, beginning) {
				matches++
				if into[name] == 0 {
					into[name] = n.Line
				}
			}
		}
		switch {
		case matches > 0:
		case strings.Contains(beginning, "*"):
			r.addf(n.Line, "%s: %s: a * may be at the end alone", what, shorten(text))
		case isPattern:
			r.addf(n.Line, "%s: no %s begins with %s", what, noun, shorten(beginning))
		default:
			r.addf(n.Line, "%s: there is no %s %s%s", what, noun, shorten(text), didYouMean(text, names))
		}
	})
}

func keys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
