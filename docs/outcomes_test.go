package docs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/digate/digate/server/exchange"
)

// A reader who learns the outcomes in one place learns all of them.
func TestOutcomes_AreListedWhole(t *testing.T) {
	t.Parallel()
	for _, path := range []string{
		"README.md", "llms.txt", "docs/concepts.md", "docs/errors.md", "docs/openapi.yaml",
		"proto/diga/integration/v1/integration_service.proto",
	} {
		text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(path)))
		if err != nil {
			t.Fatal(err)
		}
		for outcome := exchange.Done; outcome <= exchange.Unknown; outcome++ {
			if !strings.Contains(string(text), "`"+outcome.String()+"`") {
				t.Errorf("%s does not list the outcome %s", path, outcome)
			}
		}
	}
}
