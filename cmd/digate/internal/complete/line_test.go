package complete

import "testing"

func TestUnquote_ReadsAWordAsAShellDoes(t *testing.T) {
	t.Setenv("HOME", "/home/me")
	for word, want := range map[string]string{
		"a": "a", `"a b"`: "a b", `'a\b'`: `a\b`, `a\ b`: "a b", `"a\"b"`: `a"b`, `a'b`: "ab", "~/x": "/home/me/x", "~x": "~x", "": "",
	} {
		if got := unquote(word); got != want {
			t.Errorf("%s: %q, want %q", word, got, want)
		}
	}
}
