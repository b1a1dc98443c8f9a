package digajson_test

import (
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/digate/digate/server/digajson"
)

func TestParseText_ReadsWhatAppendTextWrites(t *testing.T) {
	fields := descriptor("Every").Fields()
	for _, tt := range []struct{ name, text string }{
		{"s", ""}, {"s", "a b/é&?"}, {"b", "true"}, {"ob", "false"}, {"i32", "-2147483648"}, {"s32", "2147483647"}, {"sf32", "0"},
		{"i64", "-9223372036854775808"}, {"s64", "9223372036854775807"}, {"sf64", "1"}, {"u32", "4294967295"}, {"f32", "0"},
		{"u64", "18446744073709551615"}, {"f64", "1"}, {"fl", "0.1"}, {"db", "-1.5e-10"}, {"db", "3"}, {"e", "VERY_BAD"}, {"oe", "own spelling"},
	} {
		fd := fields.ByName(protoreflect.Name(tt.name))
		v, err := digajson.ParseText(fd, tt.text)
		if err != nil {
			t.Errorf("%s %q: %v", tt.name, tt.text, err)
			continue
		}
		newMessage("Every").Set(fd, v) // panics where it is of another type
		got, err := digajson.AppendText(nil, fd, v)
		wantWritten(t, tt.name, got, err, tt.text)
	}
}

func TestParseText_WhatDoesNotFit_IsRefused(t *testing.T) {
	fields := descriptor("Every").Fields()
	for _, tt := range []struct{ name, text, kind string }{
		{"s", "\xff", "string_unicode"}, {"b", "", "bool_type"}, {"b", "True", "bool_type"}, {"b", "1", "bool_type"},
		{"i32", "", "int_parsing"}, {"i32", "2147483648", "int_parsing"}, {"i32", "1.0", "int_parsing"}, {"i32", " 1", "int_parsing"}, {"i32", "1_0", "int_parsing"}, {"i64", "0x1", "int_parsing"},
		{"i64", "9223372036854775808", "int_parsing"}, {"u32", "-1", "int_parsing"}, {"u32", "4294967296", "int_parsing"}, {"u64", "18446744073709551616", "int_parsing"},
		{"db", "NaN", "float_parsing"}, {"db", "-inf", "float_parsing"}, {"db", "1e309", "float_parsing"}, {"fl", "1e39", "float_parsing"}, {"db", "", "float_parsing"}, {"db", "1,5", "float_parsing"},
		{"e", "", "enum"}, {"e", "UNSPECIFIED", "enum"}, {"e", "MOOD_GOOD", "enum"}, {"e", "good", "enum"}, {"e", "1", "enum"},
		{"at", "2024-05-06T07:08:09Z", "unknown_field"}, {"by", "AA==", "unknown_field"},
	} {
		_, err := digajson.ParseText(fields.ByName(protoreflect.Name(tt.name)), tt.text)
		wantError(t, tt.name+" "+tt.text, err, tt.name, tt.kind)
	}
}

func TestEnumTexts_ListsTheSpellings(t *testing.T) {
	if got, want := digajson.EnumTexts(descriptor("Every").Fields().ByName("e").Enum()), "GOOD, VERY_BAD, own spelling"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
