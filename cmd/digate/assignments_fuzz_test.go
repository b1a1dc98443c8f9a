package main

import (
	"strings"
	"testing"
)

// FuzzAssignments reads any NAME=VALUE. A name without a value is one that a person may be
// asked for, and no error quotes the text, which may be a secret.
func FuzzAssignments(f *testing.F) {
	for _, text := range []string{"", "=", "=v", "name", "name=", "name=value", "name=a=b", " = ", "na\x00me=\xff", "=a-secret"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		all, err := assignmentsOrNames("var", []string{"first=1", text})
		strict, strictErr := assignments("var", []string{"first=1", text})
		for _, err := range []error{err, strictErr} {
			if err != nil && err.Error() != "--var: must be NAME=VALUE" {
				t.Fatalf("the error may quote a secret: %v", err)
			}
		}
		if err != nil {
			if text != "" && text[0] != '=' || all != nil || strict != nil {
				t.Fatalf("%q is refused: %v, %v", text, all, strict)
			}
			return
		}
		a := all[1]
		whole := a.name + "=" + a.value
		if a.ask {
			whole = a.name
		}
		if len(all) != 2 || a.name == "" || strings.Contains(a.name, "=") || whole != text || a.ask && a.value != "" {
			t.Fatalf("%q is read as %+v", text, all)
		}
		if a.ask != (strictErr != nil) {
			t.Fatalf("%q has a value: %v", text, strictErr)
		}
	})
}
