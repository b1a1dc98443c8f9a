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
