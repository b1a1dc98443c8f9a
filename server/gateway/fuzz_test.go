package gateway

import (
	"bytes"
	"maps"
	"net/url"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/prefer"
)

// FuzzTimeout reads any header: a time above 0 within the bounds, or none.
func FuzzTimeout(f *testing.F) {
	for _, s := range []string{"30", "2.5", " 1 ", "0", "-1", "1e3", "NaN", "inf", "0x1p3", "1_0", ".", "..", "0.0000000001", strings.Repeat("9", 400)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, ok := parseTimeout([]string{text})
		if d < 0 || d > prefer.MaxSeconds*time.Second || !ok && d != 0 {
			t.Errorf("%q: %v, %v", text, d, ok)
		}
	})
}

// FuzzQuery reads any query. One that net/url can read is read in the same way, but for a
// name that is there twice.
func FuzzQuery(f *testing.F) {
	for _, s := range []string{"", "a=b", "a=b&a=c", "a=%62+c%", "%zz=1", "=&&=", "a;b=c", "limit=10&after_id=%C3%A9"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		got := parseQuery(raw)
		values, err := url.ParseQuery(raw)
		if err != nil {
			return
		}
		want := make(map[string]string)
		for name, all := range values {
			want[name] = all[len(all)-1]
		}
		if !maps.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", raw, got, want)
		}
	})
}

// FuzzBulkItems reads any body of a bulk request: every line that is not empty is an item
// with its number, and a copy with a request id of its own or an error.
func FuzzBulkItems(f *testing.F) {
	for _, s := range []string{
		`{"template_id":"x","request_id":"1"}` + "\n" + `{"request_id":"1"}` + "\n\n[]", "\ufeff{}\r\n{", "null\n1\n\"\"", `{"request_id":1}`,
		`{"request_id":"a","request_id":"b","unresolved":"REFUSE","variables_json":"{}"}`, `{"request_id":"a","variables":{"n":9007199254740993,"m":1e400}}`,
	} {
		f.Add([]byte(s))
	}
	b, err := newBulk(Config{})
	if err != nil {
		f.Fatal(err)
	}
	b.maxItems = 100
	f.Fuzz(func(t *testing.T, body []byte) {
		before := bytes.Clone(body)
		items, ok := b.read(body)
		if !bytes.Equal(before, body) {
			t.Fatal("the body was changed")
		}
		if !ok {
			if lines := bytes.Count(body, []byte("\n")); lines < b.maxItems {
				t.Errorf("%d lines are too many", lines)
			}
			return
		}
		ids, line := make(map[string]bool), 0
		for _, it := range items {
			if it.line <= line {
				t.Errorf("line %d behind line %d", it.line, line)
			}
			line = it.line
			if it.err != nil {
				if apierror.FromError(it.err).Reason != apierror.ReasonInvalidRequest {
					t.Errorf("line %d: %v", line, it.err)
				}
				continue
			}
			if id := it.copy.GetRequestId(); id == "" || ids[id] {
				t.Errorf("line %d has the request id %q", line, id)
			} else {
				ids[id] = true
			}
			if _, err := proto.Marshal(it.copy); err != nil {
				t.Errorf("line %d cannot be sent: %v", line, err)
			}
		}
	})
}
