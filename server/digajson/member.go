package digajson

import "github.com/digate/digate/server/digajson/internal/lex"

// StringMember returns the last string value of the object's member with this name, or an
// empty string. It reports whether the object has several such members. If the text is
// not valid JSON to its end, the part before counts.
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
