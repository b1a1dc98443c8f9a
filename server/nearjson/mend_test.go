package nearjson_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/digate/digate/server/nearjson"
)

// utf16Of returns the text in UTF-16.
func utf16Of(order binary.AppendByteOrder, text string) string {
	var out []byte
	for _, unit := range utf16.Encode([]rune(text)) {
		out = order.AppendUint16(out, unit)
	}
	return string(out)
}

func TestMend_OddText_BecomesJSON(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, text, want string }{
		{"byte-order mark", "\ufeff{\"id\":\"é\"}", `{"id":"é"}`},
		{"UTF-16, little", utf16Of(binary.LittleEndian, "\ufeff{\"id\":\"é😀\"}"), `{"id":"é😀"}`},
		{"UTF-16, big", utf16Of(binary.BigEndian, "\ufeff{\"id\":\"é😀\"}"), `{"id":"é😀"}`},
		{"UTF-16 without a mark", utf16Of(binary.LittleEndian, `{"id":"x"}`), `{"id":"x"}`},
		{"UTF-16, big, without a mark", utf16Of(binary.BigEndian, `{"id":"x"}`), `{"id":"x"}`},
		{"UTF-32, little", utf32Of(binary.LittleEndian, "\ufeff{\"id\":\"é😀\"}"), `{"id":"é😀"}`},
		{"UTF-32, big", utf32Of(binary.BigEndian, "\ufeff{\"id\":\"é😀\"}"), `{"id":"é😀"}`},
		{"UTF-32 without a mark", utf32Of(binary.LittleEndian, `{"id":"x"}`), `{"id":"x"}`},
		{"UTF-32, big, without a mark", utf32Of(binary.BigEndian, `{"id":"x"}`), `{"id":"x"}`},
		{"UTF-32 with half a character", utf32Of(binary.BigEndian, `{"id":"x"}`) + "\x00\x00", `{"id":"x"}`},
		{"a zero before", "\x00{\"id\":1}", `{"id":1}`}, {"three zeros before", "\x00\x00\x00{\"id\":1}", `{"id":1}`},
		{"a zero in it", "{\x00\"id\":1}", `{"id":1}`},
		{"spaces of Latin-1", "{\xa0\"id\"\xa0:\xa0\"x\xa0\"}", "{\"id\":\"x\xa0\"}"},
		{"guards", ")]}',\n{}", `{}`}, {"short guards", ")]}\n[1]", `[1]`}, {"loops", " while(1); for(;;);{}", `{}`}, {"an expression", `{} && {"a":1}`, `{"a":1}`},
		{"a comment around it", `/* {"a":1} */`, `{"a":1} `}, {"a line as a comment", `//{"a":1}`, `{"a":1}`},
		{"a comment around it, cut", `/*{"a":1`, `{"a":1`},
		{"comments", "// {\n/* { */{/**/\"a\"/*:*/://\n1/*}*/}//", `{"a":1}`},
		{"comment that is cut", `{"a":1/* x`, `{"a":1`}, {"slashes in strings", `{"a":"/*x*///",}`, `{"a":"/*x*///"}`},
		{"no values", `{"a":,"b":}`, `{"a":null,"b":null}`}, {"commas", `{,"a":[,1,,2,],,"b":1,}`, `{"a":[1,2],"b":1}`},
		{"zeros before", "\x00\x00{\"id\":1}\x00", `{"id":1}`},
		{"NaN", `{"a":NaN,"b":[Infinity,-Infinity,nan],"id":"x"}`, `{"a":null,"b":[null,null,null],"id":"x"}`},
		{"Python", `{'id': 'x', 'a': None, 'b': True, 'c': [False]}`, `{"id": "x", "a": null, "b": true, "c": [false]}`},
		{"quotes within quotes", `{'a':'say "hi"','b':'it\'s','c':"it's"}`, `{"a":"say \"hi\"","b":"it's","c":"it's"}`},
		{"control characters", "{\"a\":\"x\x00y\tz\n\",\"id\":\"x\"}", `{"a":"x\u0000y\u0009z\u000a","id":"x"}`},
		{"control character as an escape's", "{\"a\":\"x\\\ny\"}", `{"a":"x\\\u000ay"}`},
		{"unknown escapes", `{"a":"C:\dir\x41\u12g4","id":"x"}`, `{"a":"C:\\dir\\x41\\u12g4","id":"x"}`},
		{"odd numbers", `{"a":01,"b":+1,"c":.5,"d":1.,"e":0x1f,"f":1_000}`, `{"a":null,"b":null,"c":null,"d":null,"e":null,"f":null}`},
		{"last comma", "{\"a\":[1,2, ],\"id\":\"x\",\n}", `{"a":[1,2],"id":"x"}`},
		{"keys without quotes", `{id : "x", a_1:2}`, `{"id" : "x", "a_1":2}`},
		{"odd space", "{\u00a0\"id\"\u2028:\v\"x\"}", `{"id":"x"}`},
		{"in a list", "\ufeff[{\"id\":NaN}]", `[{"id":null}]`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, changed := nearjson.Mend([]byte(tt.text))
			if string(got) != tt.want || !changed || json.Valid(got) == strings.Contains(tt.name, "cut") {
				t.Errorf("%s, changed %v", got, changed)
			}
		})
	}
}

// utf32Of returns the text in UTF-32.
func utf32Of(order binary.AppendByteOrder, text string) string {
	var out []byte
	for _, r := range text {
		out = order.AppendUint32(out, uint32(r))
	}
	return string(out)
}

// What is missing is not made up, and what is no object or array is not read as one.
func TestMend_OtherText_IsLeft(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		``, ` `, `{}`, `{"id":"x","a":[1,-2.5e3,true,null,"\u00e9\"\\\/"]}`, " {\r\n\t\"a\" : 1 } ",
		`{"id":"x`, `{"id":"x","a":nul`, `{"id":"x","a":12`, `{"id":"x\`, `{"id":"x\u00`, `{"id":"x\u00e`, `{"id":"x"} {}`,
		`<html>{"id":"x"}</html>`, `OK {"id":"x"}`, `"{\"id\":1}"`, `NaN`, "\x8b\x03",
		`/* {"id":"x"} */ OK`, `//`, `/*`, `)]}'`, `while(2);{}`, `/{}`, "\x00\x00\xfe\xff", "\xff\xfe\x00\x00",
	} {
		if got, changed := nearjson.Mend([]byte(text)); string(got) != text || changed {
			t.Errorf("%q became %q, changed %v", text, got, changed)
		}
	}
}

func FuzzMend(f *testing.F) {
	for _, text := range []string{
		utf32Of(binary.BigEndian, "{}"), utf32Of(binary.LittleEndian, "\ufeff[]"), ")]}',\n{}", "/*{'a':,,1}*/", "//\n{/**/}", "{\xa0}",
		`{"a":[1,"\u00e9",true]}`, "\ufeff{'a':NaN,}", "{\"a\":\"\x00\\x\\u12", "\xff\xfe{\x00}\x00", `[01,]`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		before := slices.Clone(text)
		got, _ := nearjson.Mend(text)
		if !bytes.Equal(before, text) {
			t.Fatal("the text was changed in place")
		}
		if json.Valid(text) && !bytes.Equal(got, text) {
			t.Errorf("%q is JSON and became %q", text, got)
		}
		if again, changed := nearjson.Mend(got); json.Valid(got) && changed {
			t.Errorf("%q became %q, then %q", text, got, again)
		}
	})
}
