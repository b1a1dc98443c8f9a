package preview_test

import (
	"strings"
	"testing"

	"github.com/digate/digate/server/preview"
)

// FuzzNamesIn finds the placeholders in any text.
func FuzzNamesIn(f *testing.F) {
	for _, s := range []string{"", "<<a>>", "<<<a>>>", "<<a>b>>", "<< >>", "<<a>><<a>>", "<<", "<<>>", "<<\xff>>", "https://<<host>>/<<path>>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		rest := text
		for _, name := range preview.NamesIn(text) {
			_, behind, ok := strings.Cut(rest, "<<"+name+">>")
			if !ok || name == "" || strings.ContainsAny(name, "<>") {
				t.Fatalf("%q has no placeholder %q behind the one before", text, name)
			}
			rest = behind
		}
		if again := preview.NamesIn(rest); len(again) > 0 {
			t.Errorf("%q has placeholders that were not found: %q", text, again)
		}
	})
}
