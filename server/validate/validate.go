// Package validate checks requests against the protovalidate rules in the contract. It
// does not use protovalidate's runtime: the contract uses only a few of its rules, which
// cost almost nothing if they are implemented directly. A test in a separate module
// compares the two. Package validate also checks JSON fields (json_of), for which
// protovalidate has no rule.
package validate

import (
	"errors"
	"fmt"
	"strings"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/digajson"
)

// Validator has the rules of services. It is safe for concurrent use.
type Validator struct {
	byMessage map[protoreflect.FullName]*messageRules
}

// messageRules are the rules of one message type.
type messageRules struct {
	oneofs []oneof
	checks []check
}

// oneof is a oneof of which one field must be set.
type oneof struct {
	descriptor  protoreflect.OneofDescriptor
	description string
}

// check has the rules of one field.
type check struct {
	field    protoreflect.FieldDescriptor
	required bool
	ifZero   bool // the zero value is checked too
	verbatim bool // the field is the JSON of another field
	tests    []test
	nested   *messageRules // of a message, or of each message in a list
}

// test is one rule of a field: a function that reports whether a value is valid, and the
// text for one that is not.
type test struct {
	ok          func(protoreflect.Value) bool
	description string
	reason      string
}

// Compile compiles the rules of all requests of the services. An unsupported rule is an
// error: the contract must not state a rule that is not enforced.
func Compile(services ...protoreflect.ServiceDescriptor) (*Validator, error) {
	v := &Validator{byMessage: make(map[protoreflect.FullName]*messageRules)}
	for _, sd := range services {
		for i := range sd.Methods().Len() {
			if _, err := v.compile(sd.Methods().Get(i).Input()); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

func (v *Validator) compile(md protoreflect.MessageDescriptor) (*messageRules, error) {
	if m := v.byMessage[md.FullName()]; m != nil {
		return m, nil
	}
	m := new(messageRules)
	v.byMessage[md.FullName()] = m // before its fields, which may have the same type
	if proto.HasExtension(md.Options(), validate.E_Message) {
		return nil, fmt.Errorf("%s: message rules are not supported", md.FullName())
	}
	for i := range md.Oneofs().Len() {
		od := md.Oneofs().Get(i)
		if required, err := compileOneof(od); err != nil {
			return nil, fmt.Errorf("%s: %w", od.FullName(), err)
		} else if required {
			m.oneofs = append(m.oneofs, oneof{od, namesOf(od) + " is required"})
		}
	}
	fields := md.Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		c, err := compileField(fd)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", fd.FullName(), err)
		}
		if fd.Message() != nil && !fd.IsMap() && fd.Message().ParentFile().Package() != "google.protobuf" {
			if c.nested, err = v.compile(fd.Message()); err != nil {
				return nil, err
			}
		}
		if c.required || c.tests != nil || c.verbatim || c.nested != nil {
			m.checks = append(m.checks, c)
		}
	}
	return m, nil
}

// Validate returns an [apierror.Error] that names every invalid field, or nil if the
// request is valid.
func (v *Validator) Validate(req proto.Message) error { return v.ValidateRead(req, "") }

// ValidateRead is Validate for a request with JSON that was already validated. It does
// not validate that JSON again.
func (v *Validator) ValidateRead(req proto.Message, checked string) error {
	m := req.ProtoReflect()
	var violations []apierror.Violation
	if rules := v.byMessage[m.Descriptor().FullName()]; rules != nil {
		violations = rules.validate(m, "", checked, nil)
	}
	if violations == nil {
		return nil
	}
	return apierror.InvalidRequest(violations...)
}

func (r *messageRules) validate(m protoreflect.Message, prefix, checked string, violations []apierror.Violation) []apierror.Violation {
	for _, o := range r.oneofs {
		if m.WhichOneof(o.descriptor) == nil {
			violations = append(violations, apierror.Violation{
				Field: prefix + string(o.descriptor.Name()), Description: o.description, Reason: "MISSING",
			})
		}
	}
	for i := range r.checks {
		c := &r.checks[i]
		if !m.Has(c.field) {
			if c.required {
				violations = append(violations, apierror.Violation{
					Field: prefix + string(c.field.Name()), Description: "is required", Reason: "MISSING",
				})
				continue
			}
			if !c.ifZero {
				continue
			}
		}
		if c.verbatim {
			if e, ok := errors.AsType[*digajson.Error](digajson.CheckVerbatim(m, c.field, checked)); ok {
				violations = append(violations, apierror.Violation{
					Field: prefix + e.Field(), Description: e.Message, Reason: strings.ToUpper(e.Kind),
				})
			}
			continue
		}
		v := m.Get(c.field)
		for _, t := range c.tests {
			if !t.ok(v) {
				violations = append(violations, apierror.Violation{
					Field: prefix + string(c.field.Name()), Description: t.description, Reason: t.reason,
				})
				break
			}
		}
		switch {
		case c.nested == nil:
		case c.field.IsList():
			for i := range v.List().Len() {
				violations = c.nested.validate(v.List().Get(i).Message(), fmt.Sprintf("%s%s[%d].", prefix, c.field.Name(), i), checked, violations)
			}
		default:
			violations = c.nested.validate(v.Message(), prefix+string(c.field.Name())+".", checked, violations)
		}
	}
	return violations
}
