package integration

import (
	"fmt"
	"regexp"
	"strings"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/digate/digate/server/apierror"
)

// Rules checks requests against the protovalidate rules that the contract
// states, without protovalidate's runtime: of its many rules the contract uses
// a few, which cost next to nothing when compiled by hand. A test of its own
// module holds the two equal.
type Rules struct {
	byMessage map[protoreflect.FullName][]check
}

// check is one field's rules.
type check struct {
	field protoreflect.FieldDescriptor
	// ifZero says that the zero value is checked too.
	ifZero bool
	tests  []test
}

// test says what a value that it refuses has to be.
type test struct {
	ok          func(protoreflect.Value) bool
	description string
	reason      string
}

// CompileRules reads the rules of every request of a service. A rule that it
// does not know is an error, since a constraint that the contract states and
// nobody checks would be a lie.
func CompileRules(sd protoreflect.ServiceDescriptor) (*Rules, error) {
	rules := &Rules{byMessage: make(map[protoreflect.FullName][]check)}
	methods := sd.Methods()
	for i := range methods.Len() {
		md := methods.Get(i).Input()
		if proto.HasExtension(md.Options(), validate.E_Message) {
			return nil, fmt.Errorf("%s: message rules are not supported", md.FullName())
		}
		var checks []check
		fields := md.Fields()
		for j := range fields.Len() {
			fd := fields.Get(j)
			c, err := compileField(fd)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", fd.FullName(), err)
			}
			if len(c.tests) > 0 {
				checks = append(checks, c)
			}
		}
		rules.byMessage[md.FullName()] = checks
	}
	return rules, nil
}

// Validate returns an [apierror.Error] that names every field that breaks a
// rule, nil where none does.
func (r *Rules) Validate(req proto.Message) error {
	m := req.ProtoReflect()
	var violations []apierror.Violation
	for _, c := range r.byMessage[m.Descriptor().FullName()] {
		if !m.Has(c.field) && !c.ifZero {
			continue
		}
		v := m.Get(c.field)
		for _, t := range c.tests {
			if !t.ok(v) {
				violations = append(violations, apierror.Violation{
					Field: string(c.field.Name()), Description: t.description, Reason: t.reason,
				})
				break
			}
		}
	}
	if violations == nil {
		return nil
	}
	return apierror.InvalidRequest(violations...)
}

func compileField(fd protoreflect.FieldDescriptor) (check, error) {
	fr, _ := proto.GetExtension(fd.Options(), validate.E_Field).(*validate.FieldRules)
	if fr == nil {
		return check{}, nil
	}
	c := check{field: fd, ifZero: !fd.HasPresence()}
	var unknown []string
	fr.ProtoReflect().Range(func(rd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch rd.Name() {
		case "ignore":
			if fr.GetIgnore() != validate.Ignore_IGNORE_IF_ZERO_VALUE {
				unknown = append(unknown, "ignore = "+fr.GetIgnore().String())
			}
			c.ifZero = false
		case "string":
			v.Message().Range(func(rd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
				t, err := stringTest(rd.Name(), v)
				if err != nil {
					unknown = append(unknown, err.Error())
				}
				c.tests = append(c.tests, t)
				return true
			})
		default:
			unknown = append(unknown, string(rd.Name()))
		}
		return true
	})
	if unknown != nil {
		return check{}, fmt.Errorf("rules that nothing here enforces: %s", strings.Join(unknown, "; "))
	}
	return c, nil
}

func stringTest(rule protoreflect.Name, v protoreflect.Value) (test, error) {
	switch rule {
	case "uuid":
		return test{
			ok:          func(v protoreflect.Value) bool { return isUUID(v.String()) },
			description: "must be a UUID: 32 hexadecimal digits in groups of 8-4-4-4-12",
			reason:      "UUID_PARSING",
		}, nil
	case "pattern":
		pattern, err := regexp.Compile(v.String())
		if err != nil {
			return test{}, err
		}
		return test{
			ok:          func(v protoreflect.Value) bool { return pattern.MatchString(v.String()) },
			description: "must match the pattern " + pattern.String(),
			reason:      "STRING_PATTERN_MISMATCH",
		}, nil
	default:
		return test{}, fmt.Errorf("string.%s", rule)
	}
}

// isUUID takes the hyphenated form alone, in either case.
func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F') {
				return false
			}
		}
	}
	return true
}
