package postgres

import (
	"strings"
	"testing"
)

// FuzzParse reads any URL. No error has the password in it, wherever it may seem to end.
func FuzzParse(f *testing.F) {
	const secret = "hunter2S3cr3t"
	f.Add("postgres://u:", "@h:5432/d?sslmode=disable")
	f.Add("postgresql://u:p", "@h,i:x/d")
	f.Add("postgres://u:a/b", "c@h/d")
	f.Add("postgres://u@h/d?password=", "&sslmode=bogus")
	f.Add("postgres://u@h/d?options=", "&connect_timeout=x")
	f.Add("postgres://", "@[::1/d")
	f.Add("postgres://u:%zz", "@h/d")
	f.Add("host=h password=", " user=u")
	f.Fuzz(func(t *testing.T, before, after string) {
		config, err := parse(before + secret + after)
		if (config == nil) == (err == nil) {
			t.Fatalf("got %v, %v", config, err)
		}
		if err == nil {
			return
		}
		// In the place of a host, a user or the name of an option it is no password.
		_, rest, found := strings.Cut(before, "://")
		authority := rest
		if i := strings.IndexAny(rest, "/?#"); i >= 0 {
			authority = rest[:i]
		}
		isPassword := found && len(authority) == len(rest) && strings.Contains(authority, ":") && !strings.Contains(authority, "@") && strings.Contains(after, "@") ||
			strings.HasSuffix(before, "password=")
		if isPassword && strings.Contains(strings.ToLower(err.Error()), strings.ToLower(secret)) {
			t.Errorf("%q: the error has the password: %v", before+secret+after, err)
		}
	})
}
