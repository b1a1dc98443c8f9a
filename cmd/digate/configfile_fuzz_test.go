package main

import (
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// FuzzLoadSettings reads any file of settings: names with a single value each, or an error
// that quotes no value.
func FuzzLoadSettings(f *testing.F) {
	for _, s := range []string{
		"grpc-addr: :1\nlog-level: DEBUG\n", "a: [1]", "a: &x 1\nb: *x", "a: 1\na: 2", "- a", "---\na: 1\n---\nb: 2", "? {a: b}\n: c", "a: !!binary aGk=", "<<: {a: b}", "a: 2026-01-02", "\ufeffa: 1", "a: .inf\nb: ~", "1: 2\ntrue: x", "a: *a",
	} {
		f.Add(s)
	}
	const secret = "hunter2S3cr3t"
	f.Add("token: [" + secret + "]\n")
	f.Add("token: \"" + secret)
	f.Add("token: " + secret + "\ntoken: " + secret)
	f.Add("token: !x " + secret)
	f.Fuzz(func(t *testing.T, text string) {
		s, err := loadSettings(strings.NewReader(text))
		if err != nil {
			if before, _, found := strings.Cut(text, secret); found && strings.HasSuffix(strings.TrimRight(before, " \"'[{&*!"), ":") && strings.Contains(err.Error(), secret) {
				t.Errorf("the error quotes a value: %v", err)
			}
			return
		}
		lines := strings.Count(text, "\n") + strings.Count(text, "\r") + strings.Count(text, "\u0085") + strings.Count(text, "\u2028") + strings.Count(text, "\u2029") + 1
		for _, name := range s.names() {
			if line := s.lines[name]; line < 0 || line > lines {
				t.Errorf("%q is in line %d of %d", name, line, lines)
			}
			if _, err := s.Resolve(nil, nil, flagNamed(name)); err != nil {
				t.Errorf("%q: %v", name, err)
			}
			if got := s.values[name]; strings.HasPrefix(got, "map[") && !strings.Contains(text, "map[") {
				t.Errorf("%q has the value %s", name, got)
			}
		}
		_ = s.known([]string{"grpc-addr"})
	})
}

// flagNamed returns a flag with a name and nothing else.
func flagNamed(name string) *kong.Flag {
	return &kong.Flag{Value: &kong.Value{Name: name, Tag: new(kong.Tag)}}
}
