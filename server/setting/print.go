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

// String lists a struct of settings, one `flag=value` each. It shows no
// credential.
func String(settings any) string {
	var parts []string
	each(reflect.ValueOf(settings), func(field reflect.StructField, value reflect.Value) {
		parts = append(parts, fmt.Sprintf("%s=%v", field.Tag.Get("name"), shown(value)))
	})
	return strings.Join(parts, " ")
}

// LogValue returns a struct of settings as an attribute for each flag. It shows
// no credential.
func LogValue(settings any) slog.Value {
	var attrs []slog.Attr
	each(reflect.ValueOf(settings), func(field reflect.StructField, value reflect.Value) {
		attrs = append(attrs, slog.Any(field.Tag.Get("name"), shown(value)))
	})
	return slog.GroupValue(attrs...)
}

// shown returns a setting's value as it may be shown.
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

// withoutCredentials hides what is before the @ of a URL, and the passwords in its
// query. Where a URL may not have any, they must not be printed all the same.
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
