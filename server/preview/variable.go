package preview

import (
	"bytes"
	"encoding/json"
	"strconv"

	"google.golang.org/protobuf/types/known/structpb"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
)

// variablesOf returns the values of the variables in a request, by name, and the texts of
// those that must be inserted unchanged. If the variables are JSON, a number becomes the
// nearest double, and an object or a list becomes empty. The request must be valid.
func variablesOf(req *integrationv1.PreviewCopyTemplateRequest) (values map[string]*structpb.Value, verbatim map[string]string) {
	if req.VariablesJson == nil {
		return req.GetVariables().GetFields(), nil
	}
	var members map[string]json.RawMessage
	_ = json.Unmarshal([]byte(req.GetVariablesJson()), &members)
	values, verbatim = make(map[string]*structpb.Value, len(members)), make(map[string]string)
	for name, raw := range members {
		switch raw[0] {
		case '{':
			values[name], verbatim[name] = structpb.NewStructValue(new(structpb.Struct)), compact(raw)
		case '[':
			values[name], verbatim[name] = structpb.NewListValue(new(structpb.ListValue)), compact(raw)
		case '"':
			var text string
			_ = json.Unmarshal(raw, &text)
			values[name] = structpb.NewStringValue(text)
		case 't', 'f':
			values[name] = structpb.NewBoolValue(raw[0] == 't')
		case 'n':
			values[name] = structpb.NewNullValue()
		default:
			n, _ := strconv.ParseFloat(string(raw), 64) // beyond a double's range, an infinity
			values[name], verbatim[name] = structpb.NewNumberValue(n), string(raw)
		}
	}
	return values, verbatim
}

func compact(raw json.RawMessage) string {
	var b bytes.Buffer
	_ = json.Compact(&b, raw)
	return b.String()
}
