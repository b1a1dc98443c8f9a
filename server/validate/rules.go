package validate

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/digate/digate/server/digajson"
)

// compileField compiles the rules of one field.
func compileField(fd protoreflect.FieldDescriptor) (check, error) {
	c := check{field: fd, ifZero: !fd.HasPresence(), verbatim: digajson.JSONOf(fd) != nil}
	fr, _ := proto.GetExtension(fd.Options(), validate.E_Field).(*validate.FieldRules)
	if fr == nil {
		return c, nil
	}
	var unknown []string
	for _, rule := range stated(fr.ProtoReflect()) {
		switch rule.name {
		case "required":
			c.required = true
		case "ignore":
			if fr.GetIgnore() != validate.Ignore_IGNORE_IF_ZERO_VALUE {
				unknown = append(unknown, "ignore = "+fr.GetIgnore().String())
			}
			c.ifZero = false
		case "string", "int32", "bool", "enum", "repeated":
			for _, inner := range stated(rule.value.Message()) {
				t, err := compileRule(fd, rule.name+"."+inner.name, inner.value)
				if err != nil {
					unknown = append(unknown, err.Error())
				}
				c.tests = append(c.tests, t)
			}
		default:
			unknown = append(unknown, rule.name)
		}
	}
	if unknown != nil {
		return check{}, fmt.Errorf("rules that nothing here enforces: %s", strings.Join(unknown, "; "))
	}
	return c, nil
}

type statedRule struct {
	number protoreflect.FieldNumber
	name   string
	value  protoreflect.Value
}

// stated returns the rules that a rules message sets, in the order of its fields.
func stated(m protoreflect.Message) []statedRule {
	var rules []statedRule
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		rules = append(rules, statedRule{fd.Number(), string(fd.Name()), v})
		return true
	})
	slices.SortFunc(rules, func(a, b statedRule) int { return cmp.Compare(a.number, b.number) })
	return rules
}

func compileRule(fd protoreflect.FieldDescriptor, rule string, v protoreflect.Value) (test, error) {
	switch rule {
	case "string.uuid":
		return test{
			ok:          func(v protoreflect.Value) bool { return isUUID(v.String()) },
			description: "must be a UUID: 32 hexadecimal digits in groups of 8-4-4-4-12",
			reason:      "UUID_PARSING",
		}, nil
	case "string.pattern":
		return compilePattern(v.String())
	case "bool.const":
		want := v.Bool()
		description := fmt.Sprintf("must be %t", want)
		if fd.HasPresence() {
			description += " where it is set"
		}
		return test{
			ok:          func(v protoreflect.Value) bool { return v.Bool() == want },
			description: description,
			reason:      "VALUE_ERROR",
		}, nil
	case "int32.gte":
		least := v.Int()
		return test{
			ok:          func(v protoreflect.Value) bool { return v.Int() >= least },
			description: fmt.Sprintf("must be %d or more", least),
			reason:      "GREATER_THAN_EQUAL",
		}, nil
	case "int32.lte":
		most := v.Int()
		return test{
			ok:          func(v protoreflect.Value) bool { return v.Int() <= most },
			description: fmt.Sprintf("must be %d or less", most),
			reason:      "LESS_THAN_EQUAL",
		}, nil
	case "enum.defined_only":
		values := fd.Enum().Values()
		return test{
			ok:          func(v protoreflect.Value) bool { return values.ByNumber(v.Enum()) != nil },
			description: "must be one of " + digajson.EnumTexts(fd.Enum()),
			reason:      "ENUM",
		}, nil
	case "repeated.min_items":
		least := int(v.Uint())
		return test{
			ok:          func(v protoreflect.Value) bool { return v.List().Len() >= least },
			description: fmt.Sprintf("must have %d items or more", least),
			reason:      "TOO_SHORT",
		}, nil
	default:
		return test{}, fmt.Errorf("%s", rule)
	}
}

// compileOneof reports whether the contract requires one of the oneof's fields to be set.
func compileOneof(od protoreflect.OneofDescriptor) (required bool, _ error) {
	rules, _ := proto.GetExtension(od.Options(), validate.E_Oneof).(*validate.OneofRules)
	if rules == nil {
		return false, nil
	}
	for _, rule := range stated(rules.ProtoReflect()) {
		if rule.name != "required" {
			return false, fmt.Errorf("rules that nothing here enforces: %s", rule.name)
		}
	}
	return rules.GetRequired(), nil
}

func namesOf(od protoreflect.OneofDescriptor) string {
	names := make([]string, od.Fields().Len())
	for i := range names {
		names[i] = string(od.Fields().Get(i).Name())
	}
	return strings.Join(names, " or ")
}

var printable = regexp.MustCompile(`^\^\[ -~\]\{(\d+),(\d+)\}\$$`)

// compilePattern returns the test of a pattern. The pattern of a request id is checked
// without a regular expression, because every item of a stream has one.
func compilePattern(text string) (test, error) {
	pattern, err := regexp.Compile(text)
	if err != nil {
		return test{}, err
	}
	t := test{
		ok:          func(v protoreflect.Value) bool { return pattern.MatchString(v.String()) },
		description: "must match the pattern " + text,
		reason:      "STRING_PATTERN_MISMATCH",
	}
	if m := printable.FindStringSubmatch(text); m != nil {
		least, errLeast := strconv.Atoi(m[1])
		most, errMost := strconv.Atoi(m[2])
		if err := cmp.Or(errLeast, errMost); err != nil {
			return test{}, err
		}
		t.ok = func(v protoreflect.Value) bool { return isPrintable(v.String(), least, most) }
		t.description = fmt.Sprintf("must be %d to %d printable ASCII characters", least, most)
	}
	return t, nil
}

// isPrintable reports whether s consists of least to most printable ASCII characters.
func isPrintable(s string, least, most int) bool {
	if len(s) < least || len(s) > most {
		return false
	}
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// isUUID reports whether s is a UUID with hyphens, in upper or lower case.
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
