package setting_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/digate/digate/server/setting"
)

// FuzzList reads any list. Its entries are those of the text, and the list that is made of
// them anew has the same.
func FuzzList(f *testing.F) {
	for _, text := range []string{"", ",", "a", "a,b", " a , b\t", "a,,b", " ", "\u00a0a\u2003,b", "a\x00,\xff"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		entries := setting.List(text)
		if text == "" {
			if entries != nil {
				t.Fatalf("an empty text has %q", entries)
			}
			return
		}
		if len(entries) != strings.Count(text, ",")+1 {
			t.Fatalf("%q has %d entries", text, len(entries))
		}
		for _, entry := range entries {
			if entry != strings.TrimSpace(entry) || strings.Contains(entry, ",") || !strings.Contains(text, entry) {
				t.Fatalf("%q is an entry of %q", entry, text)
			}
		}
		if again := strings.Join(entries, ", "); again != "" && !slices.Equal(setting.List(again), entries) {
			t.Fatalf("%q is read as %q, which is read as %q", text, entries, setting.List(again))
		}
	})
}
