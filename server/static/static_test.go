package static_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/digate/digate/server/static"
)

// ask sends a request with headers to a handler, each a name and then its value.
func ask(h http.Handler, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// Content is sent as it is kept to clients that take gzip, and as text to others,
// whichever of the two is kept.
func TestContent_ClientTakesGzipOrNot_GetsTheSameText(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("some text ", 100)
	for name, h := range map[string]http.Handler{
		"text":   static.Text("text/x", func() ([]byte, error) { return []byte(text), nil }),
		"zipped": static.Zipped("text/x", func() ([]byte, error) { return static.Zip([]byte(text)), nil }),
	} {
		plain, zipped := ask(h), ask(h, "Accept-Encoding", "gzip")
		unzipped, err := static.Unzip(zipped.Body.Bytes())
		if plain.Body.String() != text || plain.Header().Get("Content-Encoding") != "" || string(unzipped) != text || err != nil || zipped.Header().Get("Content-Encoding") != "gzip" {
			t.Errorf("%s: %v %v %v", name, plain.Header(), zipped.Header(), err)
		}
		if plain.Header().Get("ETag") == zipped.Header().Get("ETag") {
			t.Errorf("%s: both forms have the ETag %s", name, plain.Header().Get("ETag"))
		}
		for _, w := range []*httptest.ResponseRecorder{plain, zipped} {
			if w.Header().Get("Content-Type") != "text/x" || w.Header().Get("Vary") != "Accept-Encoding" || w.Header().Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%s: %v", name, w.Header())
			}
		}
		if again := ask(h, "Accept-Encoding", "gzip", "If-None-Match", zipped.Header().Get("ETag")); again.Code != http.StatusNotModified || again.Body.Len() != 0 {
			t.Errorf("%s: a client that has it gets %d", name, again.Code)
		}
	}
}

// One range is served. A list of them is ignored, since it costs more than the whole.
func TestContent_Ranges_OneIsServedAndAListIsIgnored(t *testing.T) {
	t.Parallel()
	h := static.Text("text/x", func() ([]byte, error) { return []byte("some text"), nil })
	for ranges, want := range map[string]struct {
		status int
		body   string
	}{
		"bytes=5-8":         {http.StatusPartialContent, "text"},
		"bytes=5-8, 0-0":    {http.StatusOK, "some text"},
		"bytes=0-0,0-0,0-0": {http.StatusOK, "some text"},
		"bytes=9-":          {http.StatusRequestedRangeNotSatisfiable, "invalid range: failed to overlap\n"},
	} {
		w := ask(h, "Range", ranges)
		if w.Code != want.status || w.Body.String() != want.body || w.Header().Get("Content-Type") == "" {
			t.Errorf("%s: %d %q %v", ranges, w.Code, w.Body, w.Header())
		}
	}
}

func TestContent_CannotBeMade_Is500(t *testing.T) {
	t.Parallel()
	cause := errors.New("no content")
	for name, h := range map[string]http.Handler{
		"text":      static.Text("text/x", func() ([]byte, error) { return nil, cause }),
		"zipped":    static.Zipped("text/x", func() ([]byte, error) { return nil, cause }),
		"not gzip":  static.Zipped("text/x", func() ([]byte, error) { return []byte("no gzip"), nil }),
		"cut short": static.Zipped("text/x", func() ([]byte, error) { return static.Zip([]byte("text"))[:12], nil }),
	} {
		if w := ask(h); w.Code != http.StatusInternalServerError || w.Header().Get("ETag") != "" {
			t.Errorf("%s: %d %v", name, w.Code, w.Header())
		}
	}
}
