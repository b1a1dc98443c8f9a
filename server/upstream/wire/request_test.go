package wire

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// requestOf returns a request with a body as digate has it.
func requestOf(r *http.Request, body string) *Request {
	own := &Request{Verb: r.Method, Target: r.URL.RequestURI(), Body: []byte(body)}
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		for _, v := range r.Header[name] {
			own.Header = append(own.Header, Field{name, v})
		}
	}
	return own
}

func TestAppendRequest_AnyOfDigates_IsWhatNetHTTPWrites(t *testing.T) {
	t.Parallel()
	base := &url.URL{Scheme: "http", Host: "diga.test:8080", Path: "/v1/a/x y", RawPath: "/v1/a/x%20y"}
	query := *base
	query.RawQuery = "page=2&name=a%26b"
	usual := http.Header{
		"User-Agent": {"digate/1"}, "Accept": {"application/json"}, "Accept-Encoding": {"identity"},
		"Authorization": {"Bearer sk-~!x"}, "Content-Type": {"application/json"},
	}
	for _, verb := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		for _, u := range []*url.URL{base, &query, {Scheme: "http", Host: "[::1]"}} {
			for _, header := range []http.Header{usual, {"User-Agent": {"x"}}} {
				for _, body := range []string{"", "{}", `{"name":"Müller"}`} {
					if body == "" && !usuallyLacksBody(verb) {
						continue // net/http's transport sends it
					}
					var want bytes.Buffer
					err := (&http.Request{
						Method: verb, URL: u, Host: u.Host, Header: header,
						Body: io.NopCloser(bytes.NewReader([]byte(body))), ContentLength: int64(len(body)),
					}).Write(&want)
					if err != nil {
						t.Fatal(err)
					}
					got, err := appendRequest(nil, u.Host, requestOf(&http.Request{Method: verb, URL: u, Header: header}, body))
					if string(got) != want.String() || err != nil {
						t.Errorf("got\n%q, %v, want\n%q", got, err, want.String())
					}
				}
			}
		}
	}
}

func TestAppendRequest_MalformedField_IsRefusedAndNotQuoted(t *testing.T) {
	t.Parallel()
	for name, header := range map[string]http.Header{
		"a line in a value": {"Authorization": {"Bearer sk-1\r\nHost: elsewhere"}},
		"a control in one":  {"Authorization": {"Bearer sk-1\x00"}},
		"a line in a name":  {"A: b\r\nC": {"sk-1"}},
	} {
		got, err := appendRequest(nil, "", requestOf(&http.Request{Method: http.MethodGet, URL: new(url.URL), Header: header}, ""))
		if err == nil || got != nil || strings.Contains(err.Error(), "sk-1") {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
}

// What goes out of net/http's transport is what goes out without it.
func TestRequest_OfNetHTTP_GoesOutTheSame(t *testing.T) {
	t.Parallel()
	for _, target := range []string{"/v1/a/x%2Fy%20z/copy", "//v1/a", "/v1/a/(x)'!*;$&+,=:@~", "/v1/a?page=2&name=a%26b+%C3%BC"} {
		for _, body := range []string{"{}", `{"name":"Müller"}`} {
			r := &Request{Verb: http.MethodPost, Target: target, Body: []byte(body), Header: []Field{
				{"Accept", "application/json"}, {"Authorization", "Bearer sk-1"}, {"User-Agent", "digate/1"},
			}}
			req, err := r.HTTP(t.Context(), "https", "[fe80::1]:8080")
			if err != nil {
				t.Fatal(err)
			}
			if req.GetBody != nil || req.Body == nil || req.URL.Scheme != "https" || req.URL.Host != "[fe80::1]:8080" {
				t.Errorf("%+v", req)
			}
			var got bytes.Buffer
			if err := req.Write(&got); err != nil {
				t.Fatal(err)
			}
			want, err := appendRequest(nil, "[fe80::1]:8080", r)
			if got.String() != string(want) || err != nil {
				t.Errorf("got\n%q, want\n%q, %v", got.String(), want, err)
			}
		}
	}
}
