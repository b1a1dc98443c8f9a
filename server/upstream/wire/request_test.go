package wire

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

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
					got, err := appendRequest(nil, &http.Request{Method: verb, URL: u, Host: u.Host, Header: header}, []byte(body))
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
		got, err := appendRequest(nil, &http.Request{Method: http.MethodGet, URL: new(url.URL), Header: header}, nil)
		if err == nil || got != nil || strings.Contains(err.Error(), "sk-1") {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
}
