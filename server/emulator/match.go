package emulator

import (
	"crypto/sha256"
	"encoding/hex"
)

// Match selects calls: those that have the value of every field that is set.
type Match struct {
	Operation     string // such as "copy_template": see Operations
	TemplateID    string
	IntegrationID string
	ToolID        string
	Name          string // the field name of the body
	Token         string
}

// match is the internal form of a Match: ids in canonical form, and the digest of the
// token.
type match struct {
	operation, template, integration, tool, name string
	token                                        *sha256sum
}

// call reports whether the match selects a call.
func (m match) call(c *call) bool {
	return m.facts(facts{c.operation, c.path["template_id"], c.path["integration_id"], c.path["tool_id"], c.body.str("name"), &c.token})
}

// facts are the properties of a call that a match compares. Unknown ones are zero.
type facts struct {
	operation, template, integration, tool, name string
	token                                        *sha256sum
}

func (m match) facts(f facts) bool {
	agrees := func(want, got string) bool { return want == "" || want == got }
	return agrees(m.operation, f.operation) && agrees(m.template, f.template) && agrees(m.integration, f.integration) &&
		agrees(m.tool, f.tool) && agrees(m.name, f.name) && (m.token == nil || f.token != nil && *m.token == *f.token)
}

func (m match) view() object {
	var o object
	for _, f := range []member{
		{"operation", m.operation}, {"template_id", m.template}, {"integration_id", m.integration},
		{"tool_id", m.tool}, {"name", m.name},
	} {
		if f.value != "" {
			o = append(o, f)
		}
	}
	if m.token != nil {
		o = append(o, member{"token_sha256", hex.EncodeToString(m.token[:])})
	}
	return o
}

// object returns the match in the form of the control routes.
func (m Match) object() object {
	o := object{}
	for _, f := range []member{
		{"operation", m.Operation}, {"template_id", m.TemplateID}, {"integration_id", m.IntegrationID},
		{"tool_id", m.ToolID}, {"name", m.Name}, {"token", m.Token},
	} {
		if f.value != "" {
			o = append(o, f)
		}
	}
	return o
}

// matchFields are the fields of a match.
var matchFields = []field{
	optional("operation", operationName, nil),
	optional("template_id", anyUUID, nil),
	optional("integration_id", anyUUID, nil),
	optional("tool_id", anyUUID, nil),
	optional("name", anyString, nil),
	optional("token", anyString, nil),
	optional("token_sha256", anyDigest, nil),
}

// readMatch returns the match in a validated object.
func readMatch(o object) match {
	return match{
		operation: o.str("operation"), template: o.str("template_id"), integration: o.str("integration_id"),
		tool: o.str("tool_id"), name: o.str("name"), token: readToken(o),
	}
}

// readToken returns the digest of the token in a validated object, or nil.
func readToken(o object) *sha256sum {
	if token := o.text("token"); token != nil {
		sum := sha256.Sum256([]byte(*token))
		return &sum
	}
	if v, _ := o.get("token_sha256"); v != nil {
		sum := v.(sha256sum)
		return &sum
	}
	return nil
}

// anyDigest checks a SHA-256 digest in hexadecimal and returns its bytes.
func anyDigest(p *problems, at location, in any) (any, bool) {
	text, _ := in.(string)
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != sha256.Size {
		p.add("digest_parsing", at, "Input should be a SHA-256 digest of 64 hexadecimal digits", in, nil)
		return nil, false
	}
	return sha256sum(b), true
}
