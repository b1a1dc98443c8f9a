package digajson

import (
	"slices"

	"github.com/digate/digate/server/digajson/internal/lex"
	"github.com/digate/digate/server/exchange"
)

const (
	// maxDrift is the maximum number of drifts reported for one response.
	maxDrift = 32
	// MaxName is the maximum length of a reported name that is not in the contract, in
	// bytes. Longer names are cut.
	MaxName = 64
)

// note records drift at the current path, unless it is recorded already.
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

// noteAt records drift for a name below the current path.
func (d *decoder) noteAt(name, kind string) {
	d.enter(name)
	d.note(kind)
	d.leave()
}

// noted reports whether drift was recorded at the current path or below it.
func (d *decoder) noted() bool {
	return slices.ContainsFunc(d.drift, func(have exchange.Drift) bool {
		return len(have.Path) >= len(d.path) && slices.Equal(have.Path[:len(d.path)], d.path)
	})
}

// driftName returns a key from Diga's JSON, unescaped, as a name for logs and metrics.
func driftName(key lex.Text) string {
	name := key.String()
	if name == "" {
		return "?"
	}
	return AsName(name[:min(len(name), MaxName)])
}

// AsName returns a text in the form in which drift shows it as the name of a field: each
// byte other than a letter, a digit, "_" and "-" becomes "?".
func AsName(text string) string {
	out := []byte(text)
	for i, c := range out {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '-' {
			out[i] = '?'
		}
	}
	return string(out)
}
