package digajson

import "strings"

// maxNotes bounds a [Drift].
const maxNotes = 32

// Drift is how an answer differed from what the contract promises.
type Drift struct {
	// Notes are the differences in the order in which they were met, each once.
	Notes []Note
	// Dropped counts the differences that there was no room for.
	Dropped int
}

// Note is one difference.
type Note struct {
	// Path leads to the culprit as in data[*].auth_type. The keys of maps and
	// Structs are data rather than names, so they are never in it: below such
	// a field it is the field's own path and an asterisk. Of a [KindUnknown]
	// the last element is the sender's own key, made printable and cut: fit
	// for a log line, not for a metric's label.
	Path string
	// Kind says what is different.
	Kind Kind
}

// String returns the note as in "auth_type: enum".
func (n Note) String() string { return n.Path + ": " + string(n.Kind) }

func (d *Drift) add(path string, kind Kind) {
	note := Note{path, kind}
	for _, known := range d.Notes {
		if known == note {
			return
		}
	}
	if len(d.Notes) == maxNotes {
		d.Dropped++
		return
	}
	d.Notes = append(d.Notes, note)
}

// pattern returns the trail, and a last key unless that is empty, for a [Note].
func (t *trail) pattern(last string) string {
	var b strings.Builder
	write := func(key string) {
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		b.WriteString(key)
	}
	for _, s := range t.steps {
		if s.index == isKey {
			write(s.key)
		} else {
			b.WriteString("[*]")
		}
	}
	if last != "" {
		write(printable(clip(last)))
	}
	return b.String()
}
