package setting_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/digate/digate/server/setting"
)

func TestSetDefaults_SettingWithoutDefault_IsZero(t *testing.T) {
	t.Parallel()
	s := struct {
		Set   string `name:"set" default:"x"`
		Unset string `name:"unset"`
		Part  struct {
			Number int `name:"number" default:"7"`
		} `embed:""`
	}{Set: "before", Unset: "before"}
	setting.SetDefaults(&s)
	if s.Set != "x" || s.Unset != "" || s.Part.Number != 7 {
		t.Errorf("got %+v", s)
	}
}

func TestSetDefaults_DefaultOfAnotherType_PanicsWithTheFlag(t *testing.T) {
	t.Parallel()
	for name, settings := range map[string]any{
		"text for a number": &struct {
			N int `name:"this-flag" default:"x"`
		}{},
		"a number that does not fit": &struct {
			N uint8 `name:"this-flag" default:"256"`
		}{},
		"text for a fraction": &struct {
			X float64 `name:"this-flag" default:"x"`
		}{},
		"a type that is not known": &struct {
			L []string `name:"this-flag" default:"x"`
		}{},
	} {
		func() {
			defer func() {
				if text, _ := recover().(string); !strings.Contains(text, "--this-flag") {
					t.Errorf("%s: %q", name, text)
				}
			}()
			setting.SetDefaults(settings)
		}()
	}
}

func TestList_EntriesSeparatedByCommas_AreTrimmed(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"": nil, "a": {"a"}, "a,b": {"a", "b"}, " a , b\t": {"a", "b"}, "a,": {"a", ""}, " ": {""},
	} {
		if got := setting.List(text); !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}
