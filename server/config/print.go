package config

import (
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/digate/digate/server/secret"
)

// each calls f for every setting, by its flag, as it may be shown.
func (c *Config) each(f func(flag string, value any)) {
	v := reflect.ValueOf(*c)
	for i := range v.NumField() {
		value := v.Field(i).Interface()
		switch v := value.(type) {
		case string:
			value = withoutUserinfo(v)
		case time.Duration:
			value = v.String()
		}
		f(v.Type().Field(i).Tag.Get("name"), value)
	}
}

// withoutUserinfo hides what stands before the @ of a URL, which Validate
// refuses and a printed setting must not show all the same.
func withoutUserinfo(s string) string {
	if !strings.Contains(s, "@") {
		return s
	}
	u, err := url.Parse(s)
	if err != nil {
		return secret.Redacted
	}
	if u.User == nil {
		return s
	}
	u.User = url.User("redacted")
	return u.String()
}

// String lists the settings, one `flag=value` each.
func (c Config) String() string {
	var parts []string
	c.each(func(flag string, value any) { parts = append(parts, fmt.Sprintf("%s=%v", flag, value)) })
	return strings.Join(parts, " ")
}

// Format implements [fmt.Formatter], so that every verb prints what String does.
func (c Config) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.String()) }

// LogValue implements [slog.LogValuer].
func (c Config) LogValue() slog.Value {
	var attrs []slog.Attr
	c.each(func(flag string, value any) { attrs = append(attrs, slog.Any(flag, value)) })
	return slog.GroupValue(attrs...)
}

func sorted(errs []error) []error {
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errs
}
