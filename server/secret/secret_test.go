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

func TestString_Empty_PrintsNothing(t *testing.T) {
	if got := fmt.Sprint(secret.String{}); got != "" {
		t.Errorf("got %q", got)
	}
}
