package digajson

import (
	"slices"

	"github.com/digate/digate/server/digajson/internal/lex"
	"github.com/digate/digate/server/exchange"
)

const (
	// maxDrift bounds the notes on one response.
	maxDrift = 32
	// MaxName bounds a name that is not the contract's, in bytes: a longer one is
	// cut.
	MaxName = 64
)

// note records, once, that the response departs from the contract at the current
// path.
func (d *decoder) note(kind string) {
	if len(d.drift) >= maxDrift {
		return
	}
	for _, have := range d.drift {
		if have.Kind == kind && slices.Equal(have.Path, d.path) {
			return
		}
	}
	d.drift = append(d.drift, exchange.Drift{Path: slices.Clone(d.path), Kind: kind})
}

// noteAt does what note does for a name below the current path.
func (d *decoder) noteAt(name, kind string) {
	d.enter(name)
	d.note(kind)
	d.leave()
}

// noted reports whether there is a note on the current path or on one below it.
func (d *decoder) noted() bool {
	return slices.ContainsFunc(d.drift, func(have exchange.Drift) bool {
		return len(have.Path) >= len(d.path) && slices.Equal(have.Path[:len(d.path)], d.path)
	})
}

// driftName returns a key of the upstream's, without JSON's escapes, as a name
// that may be logged and counted.
func driftName(key lex.Text) string {
	name := key.String()
	if name == "" {
		return "?"
	}
	return AsName(name[:min(len(name), MaxName)])
}

// AsName returns the text as drift shows it where the upstream makes it the name
// of a field: each byte other than a letter, a digit, "_" and "-" is "?".
func AsName(text string) string {
	out := []byte(text)
	for i, c := range out {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '-' {
			out[i] = '?'
		}
	}
	return string(out)
}
