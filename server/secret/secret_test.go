package secret_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/digate/digate/server/secret"
)

func TestString_EveryPrintingPath_ShowsRedacted(t *testing.T) {
	const value = "sk-very-secret"
	s := secret.New(value)
	holder := struct {
		Key  secret.String
		Ptr  *secret.String
		Keys map[string]secret.String
	}{s, &s, map[string]secret.String{"k": s}}

	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T %v"} {
		args := []any{s}
		if verb == "%T %v" {
			args = []any{s, s}
		}
		fmt.Fprintf(&out, verb+"\n", args...)
	}
	fmt.Fprintf(&out, "%v %+v %#v\n", holder, holder, holder)
	fmt.Fprintln(&out, fmt.Errorf("wrapped: %v", s))
	b, err := json.Marshal(holder)
	if err != nil {
		t.Fatal(err)
	}
	out.Write(b)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("m", "s", s, "holder", holder)
	slog.New(slog.NewTextHandler(&out, nil)).Info("m", "s", s, "holder", holder)

	got := out.String()
	if strings.Contains(got, value) || strings.Contains(got, fmt.Sprintf("%x", value)) {
		t.Errorf("a printing path shows the secret:\n%s", got)
	}
	if n := strings.Count(got, secret.Redacted); n < 15 {
		t.Errorf("only %d redaction marks; some path printed nothing:\n%s", n, got)
	}
	if s.Reveal() != value {
		t.Errorf("Reveal() = %q", s.Reveal())
	}
}

// Package fmt calls no method of what is in an unexported field, nor of what is
// behind a pointer that the verb does not fit.
func TestString_WhereNoMethodIsCalled_NoVerbShowsIt(t *testing.T) {
	const value = "sk-very-secret"
	s := secret.New(value)
	type inner struct{ s secret.String }
	var out bytes.Buffer
	for _, v := range []any{
		struct{ s secret.String }{s},
		&struct{ s secret.String }{s},
		struct{ s *secret.String }{&s},
		struct{ in inner }{inner{s}},
		struct{ list []secret.String }{[]secret.String{s}},
		struct{ byName map[string]secret.String }{map[string]secret.String{"k": s}},
		struct{ v any }{s},
		[]*struct{ S secret.String }{{s}},
		[]*secret.String{&s},
		struct{ e error }{fmt.Errorf("%w", failure{s})},
	} {
		for verb := range strings.SplitSeq("v +v #v s +s #s q +q #q x # x X d b o c U e g t p w", " ") {
			fmt.Fprintf(&out, "%"+verb+"\n", v)
		}
	}
	for _, never := range []string{value, fmt.Sprintf("%x", value), fmt.Sprintf("%X", value), fmt.Sprintf("% x", value), "115 107 45", "0x73, 0x6b"} {
		if i := strings.Index(out.String(), never); i >= 0 {
			t.Errorf("printed as %.80q", out.String()[max(0, i-20):])
		}
	}
}

// failure is an error that holds a secret.
type failure struct{ s secret.String }

func (failure) Error() string { return "failed" }

// A secret is made for every call.
func TestNewAndReveal_AllocateNothing(t *testing.T) {
	text := strings.Repeat("t", 100)
	if n := testing.AllocsPerRun(100, func() {
		if secret.New(text).Reveal() != text {
			t.Error("not the same text")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestString_Empty_PrintsNothing(t *testing.T) {
	if got := fmt.Sprint(secret.String{}); got != "" {
		t.Errorf("got %q", got)
	}
}
