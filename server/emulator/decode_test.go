package emulator

import (
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

// The files in testdata were recorded from Python 3.11, FastAPI 0.121.3 and pydantic 2.12.4.

func recorded(t *testing.T, name string, into any) {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatal(err)
	}
}

func TestDecodeJSON_Malformed_FailsLikePython(t *testing.T) {
	t.Parallel()
	var rows []struct {
		Text, Message string
		Position      int
	}
	recorded(t, "syntax.json", &rows)
	for _, row := range rows {
		_, err := decodeJSON([]byte(row.Text))
		want := &syntaxError{row.Message, row.Position}
		if got := (*syntaxError)(nil); !errors.As(err, &got) || *got != *want {
			t.Errorf("%q: got %v, want %v", row.Text, err, want)
		}
	}
}

func TestDecodeJSON_WhatPythonCannotRead_IsUnreadable(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"invalid UTF-8": "\"\xff\"",
		"deep array":    strings.Repeat("[", 50_000),
		"deep object":   strings.Repeat(`{"a":`, 50_000),
		"long integer":  strings.Repeat("9", maxDigits+1),
	} {
		if _, err := decodeJSON([]byte(text)); !errors.Is(err, errUnreadable) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestJSON_ReadAndRendered_IsPythons(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		` { "b" : 1 , "a" : [ ] , "b" : 2 } `:                    `{"b":2,"a":[]}`,
		`[1,1.0,1e2,-0,-0.0,0.1,1e16,1e15,0.0001,0.00001,1e300]`: `[1,1.0,100.0,0,-0.0,0.1,1e+16,1000000000000000.0,0.0001,1e-05,1e+300]`,
		`123456789012345678901234567890`:                         `123456789012345678901234567890`,
		`"\u00e9\ud83d\ude00\/\b\f\n\r\t\"\\\u0000\u001f\u007f"`: "\"é😀/\\b\\f\\n\\r\\t\\\"\\\\\\u0000\\u001f\x7f\"",
		"\"\u2028<>&\"":              "\"\u2028<>&\"",
		"\ufeff[null,true,false,{}]": `[null,true,false,{}]`,
	} {
		v, err := decodeJSON([]byte(in))
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		if got, err := appendJSON(nil, v); err != nil || string(got) != want {
			t.Errorf("%s: got %s %v, want %s", in, got, err, want)
		}
	}
}

func TestJSON_WithoutStandardForm_IsReadButNotRendered(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`NaN`, `[Infinity]`, `{"a":-Infinity}`, `1e400`, `"\ud800"`, `{"\udc00":1}`, `"\ud800\ud800"`} {
		v, err := decodeJSON([]byte(text))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got, err := appendJSON(nil, v); !errors.Is(err, errUnencodable) {
			t.Errorf("%s: got %s %v", text, got, err)
		}
	}
}

func TestScalars_AreReadAsPydanticReadsThem(t *testing.T) {
	t.Parallel()
	var rows []struct {
		Kind         string
		Input, Reads json.RawMessage
		Type, Msg    string
	}
	recorded(t, "scalars.json", &rows)
	checkers := map[string]checker{"uuid": anyUUID, "integer": anyInteger, "boolean": anyBoolean}
	for _, row := range rows {
		in, err := decodeJSON(row.Input)
		if err != nil {
			t.Fatal(err)
		}
		var p problems
		out, ok := checkers[row.Kind](&p, location{"x"}, in)
		if got, _ := appendJSON(nil, out); ok && string(got) != string(row.Reads) {
			t.Errorf("%s %s: got %s, want %s", row.Kind, row.Input, got, row.Reads)
		}
		if ok != (row.Type == "") {
			t.Errorf("%s %s: accepted %v, want %q", row.Kind, row.Input, ok, row.Type)
		}
		if ok {
			continue
		}
		var got struct{ Type, Msg string }
		if err := json.Unmarshal(p.entries, &got); err != nil || got.Type != row.Type || got.Msg != row.Msg {
			t.Errorf("%s %s: got %+v, want %s %q", row.Kind, row.Input, got, row.Type, row.Msg)
		}
	}
}

func TestProblems_OfAHostileBody_StayBounded(t *testing.T) {
	t.Parallel()
	// Every level lacks a name, and its problem repeats all levels below.
	level := strings.Repeat(`{"data_type":"object","properties":[`, 400) + `"` + strings.Repeat("x", maxBody/2) + `"` + strings.Repeat(`]}`, 400)
	v, err := decodeJSON([]byte(`{"body":[` + level + `]}`))
	if err != nil {
		t.Fatal(err)
	}
	var p problems
	if _, ok := updateToolBody(&p, location{"body"}, v); ok || len(p.entries) > maxDetail+maxBody {
		t.Errorf("%d bytes, accepted %v", len(p.entries), ok)
	}
	if resp := p.response(); !json.Valid(resp.raw) {
		t.Error("the response is not JSON")
	}
}

func FuzzDecodeJSON(f *testing.F) {
	for _, seed := range []string{`{"a":[1,2.5e3,"\ud83d\ude00",null]}`, `[NaN,-Infinity]`, `"\u12`, `{"a":1,"a":2}`, ` [ ] `} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := decodeJSON(text)
		if err != nil {
			if json.Valid(text) && utf8.Valid(text) && !errors.Is(err, errUnreadable) {
				t.Fatalf("%q is JSON, but: %v", text, err)
			}
			return
		}
		form, err := appendJSON(nil, v)
		if err != nil {
			return
		}
		if !json.Valid(form) {
			t.Fatalf("%q was rendered as %q", text, form)
		}
		again, err := decodeJSON(form)
		if err != nil || !reflect.DeepEqual(again, v) {
			t.Fatalf("%q: %#v, then %#v, %v", text, v, again, err)
		}
	})
}

// A sign and leading zeros in a text are no digits.
func TestInteger_AsLongAsPythonReads_IsRead(t *testing.T) {
	t.Parallel()
	longest := strings.Repeat("9", maxDigits)
	for _, text := range []string{longest, "-" + longest} {
		if v, err := decodeJSON([]byte(text)); err != nil || v != integer(text) {
			t.Errorf("JSON of %d characters: %v", len(text), err)
		}
		if v, ok := parseInteger(text); !ok || v != integer(text) {
			t.Errorf("text of %d characters: %v", len(text), ok)
		}
	}
	if _, ok := parseInteger("+000" + longest); !ok {
		t.Error("zeros in front are counted")
	}
	if _, err := decodeJSON([]byte(longest + "9")); err == nil {
		t.Error("JSON of one digit more is read")
	}
	if _, ok := parseInteger(longest + "9"); ok {
		t.Error("text of one digit more is read")
	}
}
