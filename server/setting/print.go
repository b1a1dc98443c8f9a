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
		return withoutUserinfo(v)
	case time.Duration:
		return v.String()
	default:
		return v
	}
}

// withoutUserinfo hides what is before the @ of a URL. Where a URL may not have
// any, it must not be printed all the same.
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
