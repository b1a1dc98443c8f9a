// Package secret holds values that must never be printed.
package secret

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
)

// Redacted is what every printing path shows instead of a secret.
const Redacted = "[redacted]"

// String is a secret. Every way to print it shows [Redacted], or nothing where
// it is empty; only Reveal gives it away. The zero value is an empty secret.
type String struct{ value string }

// New wraps a secret.
func New(value string) String { return String{value} }

// Reveal returns the secret itself, for the one place that needs it.
func (s String) Reveal() string { return s.value }

// IsZero says whether the secret is empty.
func (s String) IsZero() bool { return s.value == "" }

// String implements [fmt.Stringer].
func (s String) String() string {
	if s.IsZero() {
		return ""
	}
	return Redacted
}

// Format implements [fmt.Formatter], so that no verb reaches the value.
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
