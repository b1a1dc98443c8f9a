package digajson_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
)

func TestString_EscapesAndUnicode_AreRead(t *testing.T) {
	c := integrationCodec(t)
	for text, want := range map[string]string{
		``: "", `a`: "a", `\"\\\/\b\f\n\r\t`: "\"\\/\b\f\n\r\t", `\u0041\u00e9\u4E2D`: "Aé中", `\u0000`: "\x00", `é中😀`: "é中😀",
		`\ud83d\ude00`: "😀", `a\uD83D\uDE00b`: "a😀b", `\ufffd`: "\ufffd", `\uffff`: "\uffff", `\\u0041`: `\u0041`, "\u007f\u0080\u2028": "\u007f\u0080\u2028",
		`\ud800\udc00`: "\U00010000", `\udbff\udfff`: "\U0010ffff", `\ud7ff\ue000`: "\ud7ff\ue000",
	} {
		for _, read := range []func(m *integrationv1.Integration) error{
			func(m *integrationv1.Integration) error { return c.UnmarshalRequest([]byte(`{"id":"`+text+`"}`), m) },
			func(m *integrationv1.Integration) error {
				_, err := c.UnmarshalResponse([]byte(`{"id":"`+text+`"}`), m)
				return err
			},
		} {
			m := new(integrationv1.Integration)
			if err := read(m); err != nil || m.GetId() != want {
				t.Errorf("%s: got %q, %v, want %q", text, m.GetId(), err, want)
			}
		}
	}
}

func TestString_HalfASurrogatePairOrInvalidUTF8_IsRefused(t *testing.T) {
	c := compile(t, descriptor("Every"))
	for _, bad := range []string{
		`\ud800`, `\udbff`, `\udc00`, `\udfff`, `\ud83d\ue000`, `\ud83d\uffff`, `\ud83d\udbff`, `\ude00\ud83d`, `\ud83dx`, `\ud83d\u0041`, `\ud83d\ud83d`, `\ud83d\n`, `\ud83d\ud83d\ude00`, `\ud800abcde\\`,
		"\xff", "\x80", "a\xc3", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", `\n` + "\xff",
	} {
		for _, tt := range []struct{ text, field string }{
			{`{"s":"` + bad + `"}`, "s"}, {`{"ms":{"a":"` + bad + `"}}`, "ms.a"}, {`{"st":{"a":"` + bad + `"}}`, "st.a"},
			{`{"e":"` + bad + `"}`, "e"}, {`{"at":"` + bad + `"}`, "at"}, {`{"zzz":["` + bad + `"]}`, "zzz"},
			{`{"` + bad + `":1}`, ""}, {`{"ms":{"` + bad + `":"a"}}`, "ms"}, {`{"st":{"` + bad + `":1}}`, "st"}, {`{"sub":{"` + bad + `":1}}`, "sub"},
		} {
			wantRefused(t, c, newEvery(), tt.text, tt.field, "string_unicode")
			m := newEvery()
			if drift, err := c.UnmarshalResponse([]byte(tt.text), m); err != nil || (plain(t, m) != `{}` && plain(t, m) != `{"sub":{}}` && plain(t, m) != `{"st":{}}`) || len(drift) == 0 && !strings.Contains(tt.text, "zzz") {
				t.Errorf("response %q: got %s, %q, %v", tt.text, plain(t, m), drift, err)
			}
		}
	}
}

func TestWrittenString_ComesBackAndEscapesOnlyWhatItMust(t *testing.T) {
	c := integrationCodec(t)
	var all strings.Builder
	for r := range rune(0x300) {
		all.WriteRune(r)
	}
	for _, s := range []string{all.String(), "\u2028\u2029<>&'/", "😀", strings.Repeat("x", 5000) + `"`, "\x7f"} {
		b, err := c.AppendRequest(nil, &integrationv1.Integration{Id: s})
		if err != nil || !json.Valid(b) || !utf8.Valid(b) {
			t.Fatalf("%q: %v", b, err)
		}
		var std struct{ ID string }
		if err := json.Unmarshal(b, &std); err != nil || std.ID != s {
			t.Errorf("encoding/json reads %q, %v", std.ID, err)
		}
		m := new(integrationv1.Integration)
		if err := c.UnmarshalRequest(b, m); err != nil || m.GetId() != s {
			t.Errorf("%q comes back as %q, %v", s, m.GetId(), err)
		}
	}
	got, err := c.AppendRequest(nil, &integrationv1.Integration{Id: "a\"\\/\b\f\n\r\t\x00\x1f\x7f<é\u2028😀"})
	wantWritten(t, "escapes", got, err, `{"id":"a\"\\/\b\f\n\r\t\u0000\u001f`+"\x7f<é\u2028😀"+`"}`)
}

func TestRead_TheBytesMayBeUsedAgain(t *testing.T) {
	c := integrationCodec(t)
	for name, read := range map[string]func(data []byte, m proto.Message) error{
		"request":  c.UnmarshalRequest,
		"response": func(data []byte, m proto.Message) error { _, err := c.UnmarshalResponse(data, m); return err },
	} {
		data := []byte(full)
		m := new(integrationv1.Integration)
		if err := read(data, m); err != nil {
			t.Fatal(err)
		}
		clear(data)
		if got := plain(t, m); got != fullPlain {
			t.Errorf("%s: the message changes with the bytes that it was read from: %q", name, got)
		}
	}
}
