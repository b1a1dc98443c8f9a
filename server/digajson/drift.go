package digajson

import "strings"

const (
	// maxDrift bounds the notes on one answer.
	maxDrift = 32
	// maxName bounds a name that is not the contract's, in bytes of JSON.
	maxName = 64
)

// note records that the answer departs from the contract at the current path.
// It says names, never values, and says each thing once.
func (d *decoder) note(what string) {
	if len(d.drift) >= maxDrift {
		return
	}
	s := strings.Join(d.path, ".") + ": " + what
	for _, have := range d.drift {
		if have == s {
			return
		}
	}
	d.drift = append(d.drift, s)
}

// noteAt records the same of a place below the current path.
func (d *decoder) noteAt(name, what string) {
	d.path = append(d.path, name)
	d.note(what)
	d.path = d.path[:len(d.path)-1]
}

// noted says whether something was said of the current path already, or of what
// is below it.
func (d *decoder) noted() bool {
	prefix := strings.Join(d.path, ".")
	for _, have := range d.drift {
		if rest, ok := strings.CutPrefix(have, prefix); ok && (rest[0] == ':' || rest[0] == '.') {
			return true
		}
	}
	return false
}

// cleanName returns what a key of the vendor's says, however it is escaped, as a
// name that may be logged and counted.
func cleanName(key text) string {
	name := key.string()
	if name == "" {
		return "?"
	}
	out := []byte(name[:min(len(name), maxName)])
	for i, c := range out {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-') {
			out[i] = '?'
		}
	}
	return string(out)
}
