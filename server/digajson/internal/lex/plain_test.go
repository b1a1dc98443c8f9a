package lex

import "testing"

// FuzzPlain compares what looks at eight bytes at once with what looks at one.
func FuzzPlain(f *testing.F) {
	for _, s := range []string{"", "a", "1234567", "12345678", "1234567\"9", "12345678\\", "\x1f2345678", "1 345678", "12\x003\"5678", "\x7f\x80", "é2345678", "!\"!\"!\"!\"!", "\\]\\]\\]\\]\\"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		want := 0
		for want < len(s) && s[want] >= ' ' && s[want] < 0x80 && s[want] != '"' && s[want] != '\\' {
			want++
		}
		if got := plain(s); got != want {
			t.Errorf("%q: %d, want %d", s, got, want)
		}
	})
}
