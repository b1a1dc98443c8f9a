package lex_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/digate/digate/server/digajson/internal/lex"
)

func TestSkip_Values_AreTakenAsEncodingJSONTakesThem(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`{}`, `[]`, `[1,2]`, `{"a":[{"b":null}],"c":true}`, ` [ 1 , "x" ] `, `-0`, `-1.5e+10`, `0.1`, `1E5`, `"\ud83d\ude00"`, `false`,
		strings.Repeat("[", 2000) + strings.Repeat("]", 2000),
		``, `{`, `[`, `[1`, `[1,`, `[1,]`, `{"a"}`, `{"a":}`, `{"a":1,}`, `{a:1}`, `{1:1}`, `[1}`, `{"a":1]`, `01`, `-`, `1.`, `.5`, `1e`, `1e+`, `+1`,
		`tru`, `nul`, `falsy`, `"`, `"\`, `"\x"`, `"\u12"`, "\"\n\"", `[] []`, `1 2`, "\x00",
	} {
		s := lex.Scanner{Data: text}
		_, err := s.Skip()
		if err == nil {
			err = s.End()
		}
		if (err == nil) != json.Valid([]byte(text)) {
			t.Errorf("%.40q: %v", text, err)
		}
		if e := new(lex.Error); err != nil && (!errors.As(err, &e) || e.Offset < 0 || e.Offset > len(text)) {
			t.Errorf("%.40q: %#v is no error with an offset in the text", text, err)
		}
	}
}

func TestSkip_StringThatIsNoUnicode_IsReportedWhereverItIs(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`"\ud800"`, `["\udc00"]`, `{"\ud83d\ue000":1}`, `{"a":{"b":["` + "\xff" + `"]}}`, `["\ud800","x"]`, `{"\ud800":1,"x":"y"}`} {
		if valid, err := (&lex.Scanner{Data: text}).Skip(); valid || err != nil {
			t.Errorf("%q: valid %v, %v", text, valid, err)
		}
	}
}

func TestAppendString_InvalidUTF8_IsReported(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"\xff", "a\xc3", "é\n\xed\xa0\x80"} {
		if _, valid := lex.AppendString(nil, s); valid {
			t.Errorf("%q: valid", s)
		}
	}
	if got, valid := lex.AppendString([]byte("x"), "é\"\n"); !valid || string(got) != `x"é\"\n"` {
		t.Errorf("%s, %v", got, valid)
	}
}
