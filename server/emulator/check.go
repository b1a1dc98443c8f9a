package emulator

import (
	"math"
	"strconv"
	"strings"
	"unicode"
)

// A checker validates one input as pydantic does in its lax mode and returns the converted value. It
// adds every problem it finds; ok is false if it found one.
type checker func(p *problems, at location, in any) (out any, ok bool)

func anyString(p *problems, at location, in any) (any, bool) {
	if s, ok := in.(string); ok {
		return s, true
	}
	p.add("string_type", at, "Input should be a valid string", in, nil)
	return nil, false
}

func anyUUID(p *problems, at location, in any) (any, bool) {
	s, ok := in.(string)
	if ok && p.strict && len(s) != 36 {
		p.add("uuid_parsing", at, "Input should be a valid UUID of 36 characters", in, object{{"error", "invalid length"}})
		return nil, false
	}
	if !ok {
		p.add("uuid_type", at, "UUID input should be a string, bytes or UUID object", in, nil)
		return nil, false
	}
	id, why := parseUUID(s)
	if why != "" {
		p.add("uuid_parsing", at, "Input should be a valid UUID, "+why, in, object{{"error", why}})
		return nil, false
	}
	return id, true
}

// exact reports whether a value must have the type that the contract names: in a strict check,
// everywhere but in a query, which is text.
func (p *problems) exact(at location) bool {
	return p.strict && (len(at) == 0 || at[0] != "query")
}

func anyInteger(p *problems, at location, in any) (any, bool) {
	if p.exact(at) {
		switch in.(type) {
		case bool, string:
			p.add("int_type", at, "Input should be a valid integer", in, nil)
			return nil, false
		}
	}
	switch v := in.(type) {
	case integer:
		return v, true
	case bool:
		if v {
			return integer("1"), true
		}
		return integer("0"), true
	case float64:
		switch {
		case math.IsNaN(v) || math.IsInf(v, 0):
			p.add("finite_number", at, "Input should be a finite number", in, nil)
		case v != math.Trunc(v):
			p.add("int_from_float", at, "Input should be a valid integer, got a number with a fractional part", in, nil)
		case v < math.MinInt64 || v >= math.MaxInt64:
			p.add("int_parsing_size", at, "Unable to parse input string as an integer, exceeded maximum size", in, nil)
		default:
			return integer(strconv.FormatInt(int64(v), 10)), true
		}
		return nil, false
	case string:
		if i, ok := parseInteger(v); ok {
			return i, true
		}
		p.add("int_parsing", at, "Input should be a valid integer, unable to parse string as an integer", in, nil)
		return nil, false
	}
	p.add("int_type", at, "Input should be a valid integer", in, nil)
	return nil, false
}

// parseInteger reads an integer from text as pydantic does: it accepts spaces around the integer, a
// sign, single underscores between digits, leading zeros and a fraction of zeros.
func parseInteger(s string) (integer, bool) {
	s = strings.TrimFunc(s, unicode.IsSpace)
	sign := ""
	if s != "" && (s[0] == '+' || s[0] == '-') {
		sign, s = strings.TrimPrefix(s[:1], "+"), s[1:]
	}
	if whole, fraction, found := strings.Cut(s, "."); found {
		if fraction == "" || strings.Trim(fraction, "0") != "" {
			return "", false
		}
		s = whole
	}
	groups := strings.Split(s, "_")
	for _, g := range groups {
		if g == "" || strings.Trim(g, "0123456789") != "" {
			return "", false
		}
	}
	digits := strings.TrimLeft(strings.Join(groups, ""), "0")
	if len(digits) > maxDigits {
		return "", false
	}
	if digits == "" {
		return "0", true
	}
	return integer(sign + digits), true
}

// within adds pydantic's inclusive bounds to a checker of integers; nil means no bound.
func within(check checker, least, most *int) checker {
	return func(p *problems, at location, in any) (any, bool) {
		out, ok := check(p, at, in)
		if !ok {
			return nil, false
		}
		n := out.(integer).clamp()
		switch {
		case least != nil && n < *least:
			p.add("greater_than_equal", at, "Input should be greater than or equal to "+strconv.Itoa(*least), in, object{{"ge", *least}})
		case most != nil && n > *most:
			p.add("less_than_equal", at, "Input should be less than or equal to "+strconv.Itoa(*most), in, object{{"le", *most}})
		default:
			return out, true
		}
		return nil, false
	}
}

// clamp returns the value as an int, or the nearest int if the value does not fit.
func (i integer) clamp() int {
	n, err := strconv.Atoi(string(i))
	switch {
	case err == nil:
		return n
	case strings.HasPrefix(string(i), "-"):
		return math.MinInt
	}
	return math.MaxInt
}

func anyBoolean(p *problems, at location, in any) (any, bool) {
	const unclear = "Input should be a valid boolean, unable to interpret input"
	if _, is := in.(bool); !is && p.exact(at) {
		p.add("bool_type", at, "Input should be a valid boolean", in, nil)
		return nil, false
	}
	word := ""
	switch v := in.(type) {
	case bool:
		return v, true
	case string:
		word = strings.ToLower(v)
	case integer:
		word = string(v)
		if _, err := strconv.ParseInt(word, 10, 64); err != nil {
			word = "" // too large to be read as a number
		}
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < math.MaxInt64 {
			word = strconv.FormatInt(int64(v), 10)
		}
	}
	switch word {
	case "0", "off", "f", "false", "n", "no":
		return false, true
	case "1", "on", "t", "true", "y", "yes":
		return true, true
	}
	if _, isText := in.(string); word != "" || isText {
		p.add("bool_parsing", at, unclear, in, nil)
	} else {
		p.add("bool_type", at, "Input should be a valid boolean", in, nil)
	}
	return nil, false
}

// oneOf returns a checker that accepts only the listed strings. The kind is "enum" or "literal_error", as Diga's schema declares
// the list.
func oneOf(kind string, words ...string) checker {
	expected := "'" + words[0] + "'"
	for i, w := range words[1:] {
		if i == len(words)-2 {
			expected += " or '" + w + "'"
		} else {
			expected += ", '" + w + "'"
		}
	}
	return func(p *problems, at location, in any) (any, bool) {
		for _, w := range words {
			if in == w {
				return w, true
			}
		}
		p.add(kind, at, "Input should be "+expected, in, object{{"expected", expected}})
		return nil, false
	}
}

// nullable returns a checker that accepts null and all values that check accepts.
func nullable(check checker) checker {
	return func(p *problems, at location, in any) (any, bool) {
		if in == nil {
			return nil, true
		}
		return check(p, at, in)
	}
}

// scalar checks the union of string, integer, number, boolean and null. For any other value, pydantic
// reports every member of the union.
func scalar(p *problems, at location, in any) (any, bool) {
	switch in.(type) {
	case nil, string, integer, float64, bool:
		return in, true
	}
	p.add("string_type", at.at("str"), "Input should be a valid string", in, nil)
	p.add("int_type", at.at("int"), "Input should be a valid integer", in, nil)
	p.add("float_type", at.at("float"), "Input should be a valid number", in, nil)
	p.add("bool_type", at.at("bool"), "Input should be a valid boolean", in, nil)
	return nil, false
}

// dictOf returns a checker for an object whose values all pass check; a nil check accepts any value.
func dictOf(check checker) checker {
	return func(p *problems, at location, in any) (any, bool) {
		o, ok := in.(object)
		if !ok {
			p.add("dict_type", at, "Input should be a valid dictionary", in, nil)
			return nil, false
		}
		if check == nil {
			return o, true
		}
		out := make(object, 0, len(o))
		for _, m := range o {
			v, fine := check(p, at.at(m.key), m.value)
			out, ok = append(out, member{m.key, v}), ok && fine
		}
		return out, ok
	}
}

// listOf returns a checker for an array of at least so many items that all pass check.
func listOf(check checker, least int) checker {
	return func(p *problems, at location, in any) (any, bool) {
		list, ok := in.([]any)
		if !ok {
			p.add("list_type", at, "Input should be a valid list", in, nil)
			return nil, false
		}
		out := make([]any, 0, len(list))
		for i, v := range list {
			v, fine := check(p, at.at(i), v)
			out, ok = append(out, v), ok && fine
		}
		if ok && len(out) < least {
			items := "items"
			if least == 1 {
				items = "item"
			}
			p.add("too_short", at, "List should have at least "+strconv.Itoa(least)+" "+items+" after validation, not "+strconv.Itoa(len(out)), in,
				object{{"field_type", "List"}, {"min_length", least}, {"actual_length", len(out)}})
			return nil, false
		}
		return out, ok
	}
}
