package digajson

import "github.com/digate/digate/server/digajson/internal/lex"

// StringMember returns the last string that is the object's member of this name,
// empty if there is none, and reports whether the object has more than one member
// of this name. Of a text that is not JSON to its end, what comes before counts.
func StringMember(text, name string) (value string, twice bool) {
	d := decoder{Scanner: lex.Scanner{Data: text}}
	if d.Peek() != '{' {
		return "", false
	}
	seen := false
	_ = d.members(func(key lex.Text) error {
		if key.Is(name) {
			twice, seen = seen, true
		}
		if !key.Is(name) || d.Peek() != '"' {
			_, err := d.Skip()
			return err
		}
		t, err := d.Str()
		if err == nil && t.Valid {
			value = t.String()
		}
		return err
	})
	return value, twice
}
