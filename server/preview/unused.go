package preview

import (
	"maps"
	"slices"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/internal/spelling"
)

// maxCompared is the maximum number of variables and placeholders that are compared for
// similar names.
const maxCompared = 100

// addUnused adds the variables that no placeholder uses.
func (p *preview) addUnused() {
	names := slices.Sorted(maps.Keys(p.used))
	names = names[:min(len(names), maxCompared)]
	for _, name := range slices.Sorted(maps.Keys(p.variables)) {
		if p.used[name] {
			continue
		}
		unused := &integrationv1.UnusedVariable{Name: name}
		if len(p.out.UnusedVariables) < maxCompared {
			if near, ok := spelling.Nearest(name, names); ok {
				unused.Nearest = &near
			}
		}
		p.out.UnusedVariables = append(p.out.UnusedVariables, unused)
	}
}
