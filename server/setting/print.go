package setting

import (
	"fmt"
	"log/slog"
	"net/url"
	"reflect"
	"strings"
	"time"

	"github.com/digate/digate/server/secret"
)

// String lists the settings in a struct as `flag=value`. It shows no credential.
func String(settings any) string {
	var parts []string
	each(reflect.ValueOf(settings), func(field reflect.StructField, value reflect.Value) {
		parts = append(parts, fmt.Sprintf("%s=%v", field.Tag.Get("name"), shown(value)))
	})
	return strings.Join(parts, " ")
}

// LogValue returns the settings in a struct as attributes, one for each flag. It shows no
// credential.
func LogValue(settings any) slog.Value {
	var attrs []slog.Attr
	each(reflect.ValueOf(settings), func(field reflect.StructField, value reflect.Value) {
		attrs = append(attrs, slog.Any(field.Tag.Get("name"), shown(value)))
	})
	return slog.GroupValue(attrs...)
}

// shown returns the printable form of a setting's value.
func shown(value reflect.Value) any {
	switch v := value.Interface().(type) {
	case string:
		return withoutCredentials(v)
	case time.Duration:
		return v.String()
	default:
		return v
	}
}

// withoutCredentials hides the part of a URL before the @, and passwords in its query. It
// also does so for settings that must not contain any.
func withoutCredentials(s string) string {
	if !strings.Contains(s, "@") && !strings.Contains(strings.ToLower(s), "password") {
		return s
	}
	u, err := url.Parse(s)
	if err != nil {
		return secret.Redacted
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return secret.Redacted
	}
	if u.User != nil {
		u.User = url.User("redacted")
	}
	hidden := false
	for name := range query {
		if strings.Contains(strings.ToLower(name), "password") {
			query[name], hidden = []string{"redacted"}, true
		}
	}
	if hidden {
		u.RawQuery = query.Encode()
	}
	if u.User == nil && !hidden {
		return s
	}
	return u.String()
}
