package preview

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
)

// Hidden returns the names of the placeholders in a template of which a Struct cannot
// hold all, sorted; those that the Struct holds are among them. It returns none for
// every other template.
func Hidden(t *integrationv1.IntegrationTemplate) ([]string, error) {
	if t.TemplateJson == nil {
		return nil, nil
	}
	var v any
	dec := json.NewDecoder(strings.NewReader(t.GetTemplateJson()))
	dec.UseNumber() // one may be beyond a double's range
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	names := make(map[string]bool)
	addNames(v, names)
	return slices.Sorted(maps.Keys(names)), nil
}

func addNames(v any, names map[string]bool) {
	switch v := v.(type) {
	case string:
		for _, name := range NamesIn(v) {
			names[name] = true
		}
	case []any:
		for _, item := range v {
			addNames(item, names)
		}
	case map[string]any:
		for _, item := range v {
			addNames(item, names)
		}
	}
}
