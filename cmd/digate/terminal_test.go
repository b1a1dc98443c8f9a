package main

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"
)

// hostile is text that a terminal would act on: a title, a cleared screen, an
// eight-bit control, reversed writing, a line of its own. The rest is harmless.
const hostile = "a\x1b]0;x\x07\x1b[2J\u009b2J\u202eb\r\nc\x7f\u2028 \u00a0ñ日\u3000😀\U000e0001"

func unharmed(s string) bool {
	for _, harmless := range []string{"ñ日", "\u3000😀"} {
		if !strings.Contains(s, harmless) {
			return false
		}
	}
	return true
}

// harmful returns the first rune of what was shown that a terminal acts on.
func harmful(s string) (rune, bool) {
	for _, r := range s {
		if r != '\n' && !unicode.IsGraphic(r) {
			return r, true
		}
	}
	return 0, false
}

func TestCopy_VendorSendsTerminalSequences_TheyAreHarmless(t *testing.T) {
	quoted, err := json.Marshal(hostile)
	if err != nil {
		t.Fatal(err)
	}
	h := string(quoted)
	for name, row := range map[string]struct {
		status int
		answer string
		code   int
	}{
		"integration": {201, `{"id":"x","name":` + h + `,"base_url":` + h + `,"description":` + h + `,"headers":{` + h + `:"v"}}`, exitDone},
		"message":     {404, `{"status":"error","error_code":"X","message":` + h + `}`, exitRejected},
		"violation":   {422, `{"detail":[{"loc":["body",` + h + `],"msg":` + h + `,"type":"x"},{"loc":["body","b"],"msg":` + h + `,"type":"x"}]}`, exitRejected},
	} {
		t.Run(name, func(t *testing.T) {
			addr, _ := scripted(t, row.status, row.answer)
			for _, output := range []string{"text", "json"} {
				got := digate(t, "copy", templateID, "--addr", addr, "--output", output)
				if got.code != row.code {
					t.Fatalf("%+v", got)
				}
				shown := got.out + got.err
				if r, ok := harmful(shown); ok {
					t.Errorf("%s: %U was shown in %q", output, r, shown)
				}
				if !unharmed(shown) && output == "text" {
					t.Errorf("what is harmless was changed: %q", shown)
				}
				if output == "json" && !json.Valid([]byte(shown)) {
					t.Errorf("no JSON: %q", shown)
				}
			}
		})
	}
}

func TestPrintableJSON_MeansTheSame(t *testing.T) {
	b, err := json.Marshal(map[string]string{hostile: hostile})
	if err != nil {
		t.Fatal(err)
	}
	shown := printableJSON(append(b, '\n'))
	if r, ok := harmful(shown); ok || !unharmed(shown) {
		t.Errorf("%U in %q", r, shown)
	}
	var m map[string]string
	if err := json.Unmarshal([]byte(shown), &m); err != nil || m[hostile] != hostile {
		t.Errorf("%v, %q", err, m)
	}
}

func TestPrintable_EveryRuneThatATerminalActsOn_IsReplaced(t *testing.T) {
	if got := printable("a\x1b[2Jñ\u00a0日\n"); got != "a\ufffd[2Jñ\u00a0日\ufffd" {
		t.Errorf("%q", got)
	}
}
