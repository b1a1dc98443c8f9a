package emulator

import (
	"regexp"
	"testing"
)

var wellFormed = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// FuzzParseUUID reads any id: one in its usual form, or the reason why it is none.
func FuzzParseUUID(f *testing.F) {
	const id = "0198c0de-0000-7000-8000-0123456789AB"
	for _, s := range []string{id, "{" + id + "}", urn + id, "", "-", "{}", urn, id[1:], id + "0", "0198c0de00007000800001234567890b", "é" + id[2:]} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		id, why := parseUUID(text)
		if (id == "") == (why == "") || id != "" && !wellFormed.MatchString(id) {
			t.Errorf("%q is %q, %q", text, id, why)
		}
	})
}

var aNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)$`)

// FuzzParseInteger reads any number: its digits alone, or none.
func FuzzParseInteger(f *testing.F) {
	for _, s := range []string{"1", "-0", "+07", " 1_0 ", "1.0", "1.5", "", "_", "1__0", "--1", "9999999999999999999999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if n, ok := parseInteger(text); ok && !aNumber.MatchString(string(n)) {
			t.Errorf("%q is %q", text, n)
		}
	})
}
