package exchange

// meanings describes each kind of drift.
var meanings = map[string]string{
	// Of a whole response.
	"not whole": "the response broke off, or is no JSON object",
	"not JSON":  "the response is not quite JSON, and was read as what it nearly is",

	// Of a field.
	"missing":           "the field is required, and is not there",
	"null":              "the field is required, and is null",
	"none_required":     "there is a value, and the contract has none there",
	"unknown_field":     "the contract has no such field",
	"duplicate_key":     "the field is there twice",
	"union_tag_invalid": "it says that it is of a kind that the contract does not have",
	"oneof_set_twice":   "two values are there that exclude each other",

	// Of a value.
	"model_attributes_type":  "the value is no JSON object",
	"dict_type":              "the value is no JSON object",
	"list_type":              "the value is no JSON array",
	"string_type":            "the value is no string",
	"string_unicode":         "the text is not valid Unicode",
	"bool_type":              "the value is neither true nor false",
	"int_type":               "the value is no integer",
	"int_parsing_size":       "the integer is too large for its field",
	"int_not_exact":          "the integer is too large for a double, and is passed on as JSON alone",
	"float_type":             "the value is no number",
	"finite_number":          "the number is too large for a double",
	"bytes_invalid_encoding": "the value is no base64",
	"enum":                   "the value is none of those that the contract lists",
	"datetime_parsing":       "the value is no time",
	"recursion_loop":         "the value is nested too deeply",
	"too_long":               "there are more values than are taken",
}

// Meaning describes the deviation. For an unknown kind, it returns the kind.
func (d Drift) Meaning() string {
	if text, ok := meanings[d.Kind]; ok {
		return text
	}
	return d.Kind
}
