package accounts_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/digate/digate/server/accounts"
)

const valid = `accounts:
  acme:
    token: file:///run/secrets/acme
    requests_per_second: 20
    copies_per_day: 500
  globex:
    token: env://DIGA_TOKEN_GLOBEX
issuers:
  corp:
    issuer: https://idp.example
    audience: digate
    keys: https://idp.example/jwks.json
    algorithms: [RS256, ES256]
    leeway: 10s
callers:
  billing:
    identities:
      - dns: Billing.example
      - uri: spiffe://example/billing
      - token: {issuer: corp, sub: billing}
    requests_per_second: 0.5
    copies_per_day: 0
    allow:
      - accounts: [acme]
        methods: [CopyTemplate, "List*"]
        templates: [7C1B8F0E-5D43-4A0B-9C8E-2F6D1B3A4E5F]
      - accounts: ["*"]
        methods: [GetTemplate]
  ops:
    identities:
      - token: {issuer: corp, groups: operators, azp: console}
    allow:
      - {accounts: ["glo*"], methods: ["*"]}
`

func parse(t *testing.T, text string) *accounts.Set {
	t.Helper()
	set, err := accounts.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func TestParse_WholeFile_IsReadAsItSays(t *testing.T) {
	t.Parallel()
	set := parse(t, valid)
	a := set.Account("acme")
	if _, err := a.Token.Read(); err == nil || !strings.Contains(err.Error(), "/run/secrets/acme") {
		t.Errorf("the token is not read from the file that is named: %v", err)
	}
	if a.PerSecond != 20 || a.CopiesPerDay != 500 || a.Line != 2 {
		t.Errorf("got %+v", a)
	}
	if g := set.Account("globex"); g.PerSecond != 0 || g.CopiesPerDay != -1 {
		t.Errorf("an account without quotas: got %+v", g)
	}
	c := set.Caller("billing")
	if c.PerSecond != 0.5 || c.CopiesPerDay != 0 || c.Line != 16 || !slices.Equal(c.Accounts(), []string{"acme", "globex"}) {
		t.Errorf("got %+v", c)
	}
	i := set.Issuers()[0]
	if got := fmt.Sprintln(i.Name, i.Issuer, i.Audience, i.Keys, i.Algorithms, i.Leeway); got != "corp https://idp.example digate https://idp.example/jwks.json [RS256 ES256] 10s\n" {
		t.Errorf("got %s", got)
	}
	if !set.HasCertificates() {
		t.Error("no caller is recognised by a certificate")
	}
}

func TestSet_Identities_BelongToTheirCallers(t *testing.T) {
	t.Parallel()
	set := parse(t, valid)
	names := func(callers []*accounts.Caller) string {
		var all []string
		for _, c := range callers {
			all = append(all, c.Name)
		}
		return strings.Join(all, " ")
	}
	for want, got := range map[string]string{
		"billing":     names(set.ByNames([]string{"x.example", "BILLING.EXAMPLE"}, []string{"spiffe://example/billing"})),
		"billing ":    names(set.ByNames(nil, []string{"spiffe://example/billing"})) + " ",
		"":            names(set.ByNames([]string{"spiffe://example/billing"}, []string{"billing.example", "spiffe://example/BILLING"})),
		"billing  ":   names(set.ByClaims("corp", func(c, v string) bool { return c == "sub" && v == "billing" })) + "  ",
		" ":           names(set.ByClaims("corp", func(c, _ string) bool { return c == "groups" })) + " ",
		"ops":         names(set.ByClaims("corp", func(c, v string) bool { return c == "groups" && v == "operators" || c == "azp" && v == "console" })),
		"  ":          names(set.ByClaims("other", func(string, string) bool { return true })) + "  ",
		"billing ops": names(set.ByClaims("corp", func(string, string) bool { return true })),
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestDecide_OnlyWhatOneRuleAllowsWhole_IsAllowed(t *testing.T) {
	t.Parallel()
	set := parse(t, valid)
	const template, other = "7c1b8f0e-5d43-4a0b-9c8e-2f6d1b3a4e5f", "00000000-0000-4000-8000-000000000000"
	for _, c := range []struct {
		caller   string
		question accounts.Question
		want     accounts.Decision
	}{
		{"billing", accounts.Question{"acme", "CopyTemplate", template}, accounts.Decision{Allowed: true, Rule: 24, Account: 24, Method: 25, Template: 26}},
		{"billing", accounts.Question{"acme", "CopyTemplate", strings.ToUpper(template)}, accounts.Decision{Allowed: true, Rule: 24, Account: 24, Method: 25, Template: 26}},
		{"billing", accounts.Question{"acme", "CopyTemplate", other}, accounts.Decision{Refusal: "billing may not call CopyTemplate with this template in the account acme"}},
		{"billing", accounts.Question{"globex", "CopyTemplate", template}, accounts.Decision{Refusal: "billing may not call CopyTemplate in the account globex"}},
		{"billing", accounts.Question{"acme", "ListTools", ""}, accounts.Decision{Allowed: true, Rule: 24, Account: 24, Method: 25, Limited: true}},
		{"billing", accounts.Question{"acme", "GetTemplate", ""}, accounts.Decision{Allowed: true, Rule: 27, Account: 27, Method: 28}},
		{"billing", accounts.Question{"globex", "GetTemplate", other}, accounts.Decision{Allowed: true, Rule: 27, Account: 27, Method: 28}},
		{"billing", accounts.Question{"acme", "GetTemplate", other}, accounts.Decision{Allowed: true, Rule: 27, Account: 27, Method: 28}},
		{"billing", accounts.Question{"acme", "DeleteTool", ""}, accounts.Decision{Refusal: "billing may not call DeleteTool in the account acme"}},
		{"billing", accounts.Question{"initech", "GetTemplate", ""}, accounts.Decision{Refusal: "billing may not use the account initech"}},
		{"ops", accounts.Question{"globex", "ResolveCopy", ""}, accounts.Decision{Allowed: true, Rule: 33, Account: 33, Method: 33}},
		{"ops", accounts.Question{"acme", "ResolveCopy", ""}, accounts.Decision{Refusal: "ops may not use the account acme"}},
		{"ops", accounts.Question{"globex", "", ""}, accounts.Decision{Refusal: "ops may not call  in the account globex"}},
	} {
		if got := set.Caller(c.caller).Decide(c.question); got != c.want {
			t.Errorf("%s, %+v: got %+v, want %+v", c.caller, c.question, got, c.want)
		}
	}
}

// broken is a file with one mistake after another, and what is said of each.
const broken = `accounts:
  acme:
    token: sk-live-hunter2
    requests_per_second: fast
    copies_per_day: 1.5
    tokken: x
  "bad name":
    token: env://X
  globex:
    token: file://host/x
  acme:
    token: env://X
  initech: {}
issuers:
  corp:
    issuer: https://idp.example
    audience: 7
    keys: http://idp.example/jwks
    algorithms: [HS256, none]
    leeway: 1h
  twin:
    issuer: https://idp.example
    audience: digate
    keys: file:///jwks
    algorithms: []
callers:
  billing:
    identities:
      - dns: "*.example"
      - uri: billing
      - token: {issuer: corpp, sub: x}
      - token: {issuer: corp}
      - token: {issuer: corp, iss: x}
      - {dns: a, uri: "x:y"}
    allow:
      - accounts: [acmee]
        methods: [CopyTemplat, "Lost*", "*Template"]
        templates: [x]
      - accounts: []
        method: x
  twin:
    identities:
      - dns: "*.EXAMPLE"
      - token: {issuer: corp, iss: x}
    allow: x
  nobody:
    allow: [{accounts: ["*"], methods: ["*"]}]
extra: x
`

const complaints = `line 3: account acme, token: must be a reference, file:///PATH or env://NAME, and not the token
line 4: account acme, requests_per_second: must be a number above 0 and up to 1000000
line 5: account acme, copies_per_day: must be a whole number between 0 and 1000000000
line 6: account acme: unknown key "tokken"; did you mean token?
line 7: accounts: "bad name" is no name: at most 64 letters, digits and . _ -, of which the last three are not at either end
line 10: account globex, token: must be file:// and an absolute path: file:///PATH
line 11: accounts: "acme" is there twice, first in line 2
line 13: account initech: token is missing
line 17: issuer corp, audience: must be a text, and is a number; put it in quotes
line 18: issuer corp, keys: must be https://HOST/PATH or file:///PATH; http:// only on loopback, since whoever can change the keys can make tokens
line 19: issuer corp, algorithms: "HS256" is none of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA
line 19: issuer corp, algorithms: "none" is none of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA
line 20: issuer corp, leeway: must be a time such as 30s, up to 10m0s
line 21: issuer twin: its tokens are those of corp (line 15), with the same issuer
line 25: issuer twin, algorithms: must not be empty
line 29: caller billing, identities, dns: must be one host name, without a pattern
line 30: caller billing, identities, uri: must be one URI with its scheme, such as spiffe://example.org/billing, without a pattern
line 31: caller billing, identities, token: there is no issuer "corpp"; did you mean corp?
line 32: caller billing, identities, token: needs a claim beside the issuer, such as sub: everybody of that issuer would be this caller
line 33: caller billing, identities, token: the claim iss does not say who the caller is; the issuer checks it
line 34: caller billing, identities: each entry has one key: dns, uri or token
line 36: caller billing, allow, accounts: there is no account "acmee"; did you mean acme?
line 37: caller billing, allow, methods: there is no method "CopyTemplat"; did you mean CopyTemplate?
line 37: caller billing, allow, methods: no method begins with "Lost"
line 37: caller billing, allow, methods: "*Template": a * may be at the end alone
line 38: caller billing, allow, templates: "x" is no id of a template, which is a UUID
line 39: caller billing, allow, accounts: must not be empty
line 39: caller billing, allow: methods is missing
line 40: caller billing, allow: unknown key "method"; did you mean methods?
line 43: caller twin, identities, dns: must be one host name, without a pattern
line 43: caller twin, identities: the same identity is in line 29
line 44: caller twin, identities, token: the claim iss does not say who the caller is; the issuer checks it
line 44: caller twin, identities, token: the same identity is in line 33
line 45: caller twin, allow: must be a list, and is a text
line 47: caller nobody: identities is missing
line 48: the file: unknown key "extra"`

func TestParse_EveryMistake_IsToldAtOnceByItsLine(t *testing.T) {
	t.Parallel()
	_, err := accounts.Parse([]byte(broken))
	var p accounts.FileError
	if !errors.As(err, &p) {
		t.Fatalf("got %v", err)
	}
	got, want := strings.Split(p.Error(), "\n"), strings.Split(complaints, "\n")
	for i := range max(len(got), len(want)) {
		g, w := "", ""
		if i < len(got) {
			g = got[i]
		}
		if i < len(want) {
			w = want[i]
		}
		if g != w {
			t.Errorf("got  %s\nwant %s", g, w)
		}
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Error("the error quotes a token")
	}
}

func TestParse_NoFileOfAccounts_SaysWhy(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                          "is empty",
		"x":                         "line 1: the file: must be a mapping, and is a text",
		"{}":                        "line 1: the file: accounts is missing\nline 1: the file: callers is missing",
		"accounts: {}\ncallers: {}": "line 1: accounts: must not be empty\nline 2: callers: must not be empty",
		"accounts: &a {x: *a}":      "line 1: anchors and aliases (& and *) are not supported; quote a name that begins with one of them",
		"accounts: *secret":         "is not YAML: an alias of something that is not there",
		"a: b: c":                   "is not YAML: mapping values are not allowed in this context",
		"a: b\n---\nc: d":           "has more than one YAML document, or something after it that is no YAML",
		"a:\n\t- x":                 "line 2: is not YAML: found character that cannot start any token",
		"? [a]\n: b":                "line 1: the file: a key must be a text, and is a list",
		"a: " + strings.Repeat("[", 40) + strings.Repeat("]", 40): "line 1: nests too deep",
		strings.Repeat("#", accounts.MaxFile+1):                   "is larger than 4194304 bytes",
	} {
		_, err := accounts.Parse([]byte(text))
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%.40q: got %v, want %s", text, err, want)
		}
	}
}

// A file with very many mistakes is told of in bounded words.
func TestParse_VeryManyMistakes_AreCounted(t *testing.T) {
	t.Parallel()
	_, err := accounts.Parse([]byte(valid + strings.Repeat("x: y\n", 200)))
	if lines := strings.Split(err.Error(), "\n"); len(lines) != 101 || lines[100] != "and 100 more" {
		t.Errorf("%d lines, at the end %s", len(lines), lines[len(lines)-1])
	}
}

func TestNewToken_WhatIsNoReference_IsRefusedAndNotQuoted(t *testing.T) {
	t.Parallel()
	for _, ref := range []string{
		"hunter2", "file:hunter2", "file://hunter2/x", "file:///x?hunter2", "file:///x#hunter2", "env://", "env://hunter2 x",
		"https://hunter2", "file:///%zzhunter2", "env:hunter2", "",
	} {
		token, err := accounts.NewToken(ref)
		if err == nil || token != nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: got %v, %v", ref, token, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(valid)
	f.Add(broken)
	f.Add("accounts: &a {x: *a}")
	f.Add("a: !!binary aGk=\n? {x: y}\n: z\n<<: {a: b}")
	f.Fuzz(func(t *testing.T, text string) {
		set, err := accounts.Parse([]byte(text))
		if (set == nil) == (err == nil) {
			t.Fatalf("got %v, %v", set, err)
		}
		if err != nil {
			var p accounts.FileError
			if !errors.As(err, &p) || len(p) == 0 || len(err.Error()) > 1<<20 {
				t.Fatalf("got %v", err)
			}
			for _, problem := range p {
				if problem.Line < 0 || problem.Line > strings.Count(text, "\n")+strings.Count(text, "\r")+strings.Count(text, "\u2028")+strings.Count(text, "\u2029")+strings.Count(text, "\u0085")+1 {
					t.Fatalf("there is no line %d", problem.Line)
				}
			}
			return
		}
		for _, c := range set.Callers() {
			for _, a := range set.Accounts() {
				d := c.Decide(accounts.Question{Account: a.Name, Method: "CopyTemplate"})
				if d.Allowed != (d.Refusal == "") || d.Allowed && !slices.Contains(c.Accounts(), a.Name) {
					t.Fatalf("got %+v", d)
				}
			}
		}
	})
}

func TestNamesTemplate_OfEveryMethodWhoseRequestHasOne(t *testing.T) {
	t.Parallel()
	var got []string
	for _, method := range accounts.Methods() {
		if accounts.NamesTemplate(method) {
			got = append(got, method)
		}
	}
	want := []string{"GetTemplate", "CopyTemplate", "PreviewCopyTemplate", "BulkCopyTemplate"}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// What explains a decision names the first rule that allows it.
func TestDecide_SeveralRulesWithTemplates_TheFirstExplainsACallWithoutOne(t *testing.T) {
	t.Parallel()
	set := parse(t, `accounts:
  acme: {token: "env://A"}
callers:
  billing:
    identities: [{dns: billing.example}]
    allow:
      - {accounts: [acme], methods: [ListTools], templates: [7C1B8F0E-5D43-4A0B-9C8E-2F6D1B3A4E5F]}
      - {accounts: [acme], methods: [ListTools], templates: [00000000-0000-4000-8000-000000000001]}
`)
	got := set.Caller("billing").Decide(accounts.Question{Account: "acme", Method: "ListTools"})
	if want := (accounts.Decision{Allowed: true, Rule: 7, Account: 7, Method: 7, Limited: true}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
