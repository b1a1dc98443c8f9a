// Package secret holds values that must never be printed.
package secret

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"unsafe"
)

// Redacted is what every printing path shows instead of a secret.
const Redacted = "[redacted]"

// String is a secret. Every way to print it shows [Redacted], or nothing if it is
// empty; only Reveal returns the secret. The zero value is an empty secret.
//
// Package fmt calls no method of a value in an unexported field, nor behind a
// pointer that the verb does not fit: it prints what the value is made of. So a
// String is the address of the text and its length, and fmt shows these. Strings
// cannot be compared with ==, which would compare addresses.
type String struct {
	_    [0]func() // no ==
	data *byte
	size int
}

// New returns the secret with this text.
func New(text string) String { return String{data: unsafe.StringData(text), size: len(text)} }

// Reveal returns the text, for the one place that needs it.
func (s String) Reveal() string { return unsafe.String(s.data, s.size) }

// IsZero reports whether the secret is empty.
func (s String) IsZero() bool { return s.size == 0 }

// String implements [fmt.Stringer].
func (s String) String() string {
	if s.IsZero() {
		return ""
	}
	return Redacted
}

// Format implements [fmt.Formatter]: every verb prints the same.
func (s String) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText implements [encoding.TextMarshaler].
func (s String) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalJSON implements [json.Marshaler].
func (s String) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }

// LogValue implements [slog.LogValuer].
func (s String) LogValue() slog.Value { return slog.StringValue(s.String()) }

var (
	_ fmt.Formatter  = String{}
	_ json.Marshaler = String{}
	_ slog.LogValuer = String{}
)
