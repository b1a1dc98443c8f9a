package server_test

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/digate/digate/server/config"
	"github.com/digate/digate/server/emulator"
)

func TestREADME_ListsTheFaultsAndTheDefaultAddresses(t *testing.T) {
	b, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	for _, f := range emulator.Faults() {
		if !strings.Contains(text, "| `"+f.ID+"` |") {
			t.Errorf("the fault %s (%s) is not in the README", f.ID, f.Name)
		}
	}
	if n := strings.Count(text, "| `00000000-"); n != len(emulator.Faults()) {
		t.Errorf("the README lists %d faults, the emulator has %d", n, len(emulator.Faults()))
	}
	typ := reflect.TypeFor[config.Config]()
	for i := range typ.NumField() {
		tag := typ.Field(i).Tag
		if name := tag.Get("name"); strings.HasSuffix(name, "-addr") && !strings.Contains(text, "`--"+name+"` | `"+tag.Get("default")+"`") {
			t.Errorf("the README does not list --%s with its default %s", name, tag.Get("default"))
		}
	}
}

// Whoever looks for a bound finds all of them in one place.
func TestLimits_EveryFlagOfABound_IsInTheDocument(t *testing.T) {
	text, err := os.ReadFile("../docs/limits.md")
	if err != nil {
		t.Fatal(err)
	}
	typ := reflect.TypeFor[config.Config]()
	found := 0
	for i := range typ.NumField() {
		tag := typ.Field(i).Tag
		if group := tag.Get("group"); group != "Limits:" && group != "Bulk:" {
			continue
		}
		found++
		if !strings.Contains(string(text), "`--"+tag.Get("name")+"`") {
			t.Errorf("--%s is not there", tag.Get("name"))
		}
	}
	if found < 10 {
		t.Errorf("only %d flags found", found)
	}
}
