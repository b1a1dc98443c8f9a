// Package validate checks requests against the protovalidate rules that the
// contract states, without protovalidate's runtime: of its many rules the
// contract uses a few, which cost next to nothing when compiled by hand. A test
// in a module of its own holds the two equal. Beside them it checks the JSON that a
// field holds in place of another, which no rule of protovalidate's can.
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

// Validator holds the rules of services. It may be used by many goroutines.
type Validator struct {
	byMessage map[protoreflect.FullName]*messageRules
}

// messageRules are the rules of one message type.
type messageRules struct {
	oneofs []oneof
	checks []check
}

// oneof is a oneof of which one field is required.
type oneof struct {
	descriptor  protoreflect.OneofDescriptor
	description string
}

// check is one field's rules.
type check struct {
	field    protoreflect.FieldDescriptor
	required bool
	ifZero   bool // the zero value is checked too
	verbatim bool // it is JSON in place of another field
	tests    []test
	nested   *messageRules // of a message, or of each message in a list
}

// test is one rule of a field: whether a value keeps it, and the words for one that
// does not.
type test struct {
	ok          func(protoreflect.Value) bool
	description string
	reason      string
}

// Compile reads the rules of every request of the services. A rule that it does not
// know is an error: the contract must state no constraint that nothing enforces.
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
	v.byMessage[md.FullName()] = m // before its fields, which may be of its own type
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

// Validate returns an [apierror.Error] that names every field that breaks a
// rule, nil where none does.
func (v *Validator) Validate(req proto.Message) error { return v.ValidateRead(req, "") }

// ValidateRead is Validate for a request with JSON that was checked as it was read. That
// JSON is not walked over again.
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
