package preview

import (
	"bytes"
	"encoding/json"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/types/known/structpb"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
)

// placeholder matches <<name>>, where a template gets a value.
var placeholder = regexp.MustCompile(`<<([^<>]+)>>`)

// NamesIn returns the names of the placeholders in a text, in order.
func NamesIn(text string) (names []string) {
	for _, found := range placeholder.FindAllStringSubmatch(text, -1) {
		names = append(names, found[1])
	}
	return names
}

// plainName matches names of the form in Diga's examples.
var plainName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// path is the place of a value in a template.
type path struct {
	text string
	// dataType is the data_type of the parameter that has this fixed value.
	dataType string
}

var plainKey = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

func (at path) key(key string) path {
	switch {
	case !plainKey.MatchString(key):
		quoted, _ := json.Marshal(key)
		return path{text: at.text + "[" + string(quoted) + "]"}
	case at.text == "":
		return path{text: key}
	default:
		return path{text: at.text + "." + key}
	}
}

func (at path) index(i int) path { return path{text: at.text + "[" + strconv.Itoa(i) + "]"} }

// value returns v with its placeholders replaced, and records them in the preview.
func (p *preview) value(v *structpb.Value, at path) *structpb.Value {
	switch k := v.GetKind().(type) {
	case *structpb.Value_StringValue:
		return structpb.NewStringValue(p.text(k.StringValue, at))
	case *structpb.Value_ListValue:
		out := make([]*structpb.Value, len(k.ListValue.GetValues()))
		for i, item := range k.ListValue.GetValues() {
			out[i] = p.value(item, at.index(i))
		}
		return structpb.NewListValue(&structpb.ListValue{Values: out})
	case *structpb.Value_StructValue:
		fields := k.StructValue.GetFields()
		out := make(map[string]*structpb.Value, len(fields))
		for _, key := range slices.Sorted(maps.Keys(fields)) {
			p.noteKey(key)
			inner := at.key(key)
			if key == "fixed_value" {
				inner.dataType = fields["data_type"].GetStringValue()
			}
			out[key] = p.value(fields[key], inner)
		}
		return structpb.NewStructValue(&structpb.Struct{Fields: out})
	default:
		return v
	}
}

// noteKey records the placeholders in the name of a value.
func (p *preview) noteKey(key string) {
	for _, name := range NamesIn(key) {
		p.used[name] = true
		p.caveats[integrationv1.Caveat_CAVEAT_PLACEHOLDER_IN_KEY] = true
	}
}

// text returns a text with its placeholders replaced, and records them in the preview.
func (p *preview) text(s string, at path) string {
	return placeholder.ReplaceAllStringFunc(s, func(found string) string {
		if p.full() {
			return ""
		}
		name := found[2 : len(found)-2]
		p.used[name] = true
		if !plainName.MatchString(name) {
			p.caveats[integrationv1.Caveat_CAVEAT_PLACEHOLDER_NAME] = true
		}
		dataType := at.dataType
		if found != s {
			dataType = "" // the placeholder is only a part of the text
		}
		v := p.variables[name]
		state := stateOf(v, dataType)
		p.out.Placeholders = append(p.out.Placeholders, &integrationv1.Placeholder{Name: name, Path: at.text, State: state})
		if state == integrationv1.Placeholder_STATE_MISSING {
			p.caveats[integrationv1.Caveat_CAVEAT_PLACEHOLDER_KEPT] = true
			return found
		}
		with := p.inserted(name, v)
		p.size += len(with)
		return with
	})
}

// stateOf returns whether a value fits the place of a placeholder. dataType is that of
// the parameter whose whole value is the placeholder, and otherwise empty.
func stateOf(v *structpb.Value, dataType string) integrationv1.Placeholder_State {
	fits := true
	switch k := v.GetKind().(type) {
	case nil, *structpb.Value_NullValue:
		return integrationv1.Placeholder_STATE_MISSING
	case *structpb.Value_StructValue:
		fits = dataType == "object"
	case *structpb.Value_ListValue:
		fits = false
	case *structpb.Value_StringValue:
		fits = textFits(k.StringValue, dataType)
	case *structpb.Value_NumberValue:
		fits = dataType == "" || dataType == "string" || dataType == "number" ||
			dataType == "integer" && k.NumberValue == math.Trunc(k.NumberValue)
	case *structpb.Value_BoolValue:
		fits = dataType == "" || dataType == "string" || dataType == "boolean"
	}
	if !fits {
		return integrationv1.Placeholder_STATE_TYPE_MISMATCH
	}
	return integrationv1.Placeholder_STATE_GIVEN
}

// textFits reports whether a text has the form of a value of the data type.
func textFits(text, dataType string) bool {
	switch dataType {
	case "integer":
		_, err := strconv.ParseInt(text, 10, 64)
		return err == nil
	case "number":
		_, err := strconv.ParseFloat(text, 64)
		return err == nil
	case "boolean":
		return strings.EqualFold(text, "true") || strings.EqualFold(text, "false")
	default:
		return dataType != "object"
	}
}

// inserted returns the text that a variable's value is inserted as.
func (p *preview) inserted(name string, v *structpb.Value) string {
	if text, ok := v.GetKind().(*structpb.Value_StringValue); ok {
		return text.StringValue
	}
	p.caveats[integrationv1.Caveat_CAVEAT_VALUE_AS_JSON] = true
	if text, ok := p.verbatim[name]; ok {
		return text
	}
	var form bytes.Buffer
	enc := json.NewEncoder(&form)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v.AsInterface()) // cannot fail: no message has NaN or an infinity
	return strings.TrimSuffix(form.String(), "\n")
}
