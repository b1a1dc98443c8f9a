package export

import (
	"net/url"
	"strings"
	"testing"
)

// FuzzPairs reads any list. What it gives is what the list has, and the list that is
// made of it anew says the same.
func FuzzPairs(f *testing.F) {
	for _, list := range []string{"", "a=b", " a = b , c=d,", "a=b%2Cc%3Dd", "a=b=c", "a", "=b", "a=%zz", "%61=b", "a=1,a=2", "authorization=Bearer%20t", "a=\x00"} {
		f.Add(list)
	}
	f.Fuzz(func(t *testing.T, list string) {
		all, err := pairs(list)
		if (all == nil) == (err == nil) {
			t.Fatalf("got %v, %v", all, err)
		}
		if err != nil {
			if err.Error() != errPairs.Error() {
				t.Fatalf("the error may quote a credential: %v", err)
			}
			return
		}
		if len(all) > strings.Count(list, ",")+1 {
			t.Fatalf("%d pairs of %q", len(all), list)
		}
		escape := func(text string) string { return strings.ReplaceAll(url.QueryEscape(text), "+", "%20") }
		var written []string
		for key, value := range all {
			if key == "" {
				t.Fatalf("an empty key of %q", list)
			}
			written = append(written, escape(key)+"="+escape(value))
		}
		again, err := pairs(strings.Join(written, ","))
		if err != nil || len(again) != len(all) {
			t.Fatalf("%q is %v, and written anew %v, %v", list, all, again, err)
		}
		for key, value := range all {
			if again[key] != value {
				t.Fatalf("%q: %q is %q, and written anew %q", list, key, value, again[key])
			}
		}
	})
}

// FuzzEnvironment reads any values of the variables. Only what can be used comes of them,
// and no text about them quotes one.
func FuzzEnvironment(f *testing.F) {
	f.Add("https://u:hunter2secret@collector.example:4318/x", "grpc", "parentbased_traceidratio", "0.5", "authorization=hunter2secret")
	f.Add("unix:/run/collector", "http/protobuf", "traceidratio", "nan", "a")
	f.Add("collector:99999", "http/json", "xray", "-1", "a b=c")
	f.Fuzz(func(t *testing.T, endpoint, protocol, samplerName, arg, headers string) {
		variables := map[string]string{
			tracesExporter: exporterOTLP, prefix + "ENDPOINT": endpoint, prefix + "PROTOCOL": protocol,
			sampler: samplerName, samplerArg: arg, prefix + "HEADERS": headers, attributes: headers, propagators: arg,
		}
		s, err := Read(func(name string) string { return variables[name] })
		var said []string
		if err != nil {
			said = append(said, err.Error())
		} else if s.Traces == nil || s.Traces.URL == "" || s.Traces.Sampler == nil {
			t.Fatalf("got %+v", s)
		}
		for _, w := range s.Warnings {
			said = append(said, w.Why)
		}
		for _, text := range said {
			if strings.Contains(text, "hunter2secret") {
				t.Fatalf("a value is quoted: %s", text)
			}
		}
	})
}
