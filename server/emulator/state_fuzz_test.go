package emulator

import (
	"bytes"
	"testing"
)

// FuzzParseState reads any document: what is a state is written as one that is the same, in both forms,
// and can be loaded.
func FuzzParseState(f *testing.F) {
	for _, s := range []string{
		"", "{}", "templates: []", "a: &a [*a]", "a: &a {b: 1}\nc: {<<: *a}", "latency: p50=1ms,p99.9=2s\nstrict: true",
		"accounts: [{token: t, integrations: [{name: n, base_url: '<<x>>', headers: {a: 'null', b: \"é\\n\"}, tools: []}]}]",
		"accounts:\n- token: t\n  integrations:\n  - {name: 2026-01-31, base_url: b, integration_type: MCP, created_at: 2026-01-31T08:00:00.5Z, tools: [{name: a, parameters: {n: 0x1F, f: 1e3, g: .inf}}]}",
		"templates: [{id: 11111111-1111-4111-8111-111111111111, name: n, template: {base_url: b, auth_type: API_KEY, other: [1, ~, 1.5, \"1\"]}}]",
		"faults: [{name: a, match: {token: t, operation: copy_template}, after: 1, times: 2, one_in: 3, for: 1h, delay: 1s, commit: true, response: {status: 500, body: {a: [1]}, headers: {A: b}, retry_after: 1}}]",
		`{"accounts":[{"token":"\ud83d\ude00","integrations":[{"name":"\u0085\u2028","base_url":"a: b #"}]}]}`,
		`{"accounts":[{"token":"t","integrations":[{"name":"\u0000\ufeff\ufffe\u007f\u2029","base_url":"","tools":[{"name":"t","description":"-","endpoint_path":"~","method":"GET","query":[{"name":"q","data_type":"number","fixed_value":123456789012345678901234567890}]}]}]}]}`,
		"templates: [{id: 11111111-1111-4111-8111-111111111111, name: n, template: {base_url: b, n: [-0, 0o17, 1_000, 18446744073709551616, 1e16, 1.0, 0.1]}}]",
		`{"faults":[{"fault":"hang"}],"faults":[{"response":{"status":200,"error_code":"E","message":"m"}}]}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := ParseState(text)
		if err != nil {
			return
		}
		want := s.JSON()
		for _, form := range [][]byte{want, s.YAML()} {
			again, err := ParseState(form)
			if err != nil {
				t.Fatalf("%q\nis written as\n%s\n%v", text, form, err)
			}
			if got := again.JSON(); !bytes.Equal(got, want) {
				t.Fatalf("%q\nis\n%s\nwritten as\n%s\nwhich is\n%s", text, want, form, got)
			}
		}
		e := New(Options{Control: true, State: s})
		if err := e.Add(s); err != nil {
			t.Fatal(err)
		}
		if _, err := ParseState(e.State().YAML()); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzParseLatency reads any distribution: what is one is written as it is read.
func FuzzParseLatency(f *testing.F) {
	for _, s := range []string{"0s", "20ms", "p0=1ms,p100=2ms", "p99.999=1h", "p50=1s,p50.0000001=1s", "p1e1=1us", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		l, err := ParseLatency(text)
		if err != nil {
			return
		}
		again, err := ParseLatency(l.String())
		if err != nil || again.String() != l.String() {
			t.Fatalf("%q is written as %q, which is %q (%v)", text, l, again, err)
		}
		before := l.at(0)
		for i := range 101 {
			d := l.at(float64(i) / 100)
			if d < before || d > maxDelay {
				t.Fatalf("%q: %v at %d, %v before", text, d, i, before)
			}
			before = d
		}
	})
}
