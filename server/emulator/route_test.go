package emulator_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/digate/digate/server/emulator"
)

func TestRoutes_Unknown_Are404(t *testing.T) {
	t.Parallel()
	u := start(t, emulator.Options{})
	for _, path := range []string{
		"/", "/v1", "/v2/integration", "/v1/integration/" + nobody + "/tools", "/v1/integration/template/" + shopify + "/copy/x",
		"/v1/integration/" + nobody + "%2Ftool%2Fx%2Fy", "//v1/integration", "/v1//integration", "/v1/integration/template/../x/y/z", "/nowhere/",
	} {
		wantReply(t, u.call("", "GET", path, ""), 404, `{"detail":"Not Found"}`)
	}
}

func TestRoutes_OtherMethod_Is405WithTheFirstRoutesMethod(t *testing.T) {
	t.Parallel()
	u := start(t, emulator.Options{})
	for _, row := range [][3]string{
		{"PUT", "/v1/integration/template", "GET"},
		{"POST", "/v1/integration/template", "GET"},
		{"GET", "/v1/integration/template/" + shopify + "/copy", "POST"},
		{"PUT", "/v1/integration", "GET"},
		{"OPTIONS", "/v1/integration", "GET"},
		{"PUT", "/v1/integration/" + nobody, "GET"},
		{"PUT", "/v1/integration/" + nobody + "/tool", "POST"},
		{"POST", "/v1/integration/" + nobody + "/tool/" + nobody, "GET"},
		{"DELETE", "/v1/integration/" + nobody + "/tool-approval", "PATCH"},
	} {
		got := u.call("", row[0], row[1], "")
		wantReply(t, got, 405, `{"detail":"Method Not Allowed"}`)
		if allow := got.header.Get("Allow"); allow != row[2] {
			t.Errorf("%s %s: Allow %q, want %q", row[0], row[1], allow, row[2])
		}
	}
	if got := u.call("", "HEAD", "/v1/integration", ""); got.status != 405 || got.header.Get("Content-Length") != "31" {
		t.Errorf("HEAD: %d %v", got.status, got.header)
	}
}

func TestRoutes_SlashAtTheEnd_IsRedirected(t *testing.T) {
	t.Parallel()
	u := start(t, emulator.Options{})
	for path, want := range map[string]string{
		"/v1/integration/":               "/v1/integration",
		"/v1/integration//?a=b%20c&d":    "/v1/integration?a=b%20c&d",
		"/v1/integration/%C3%B1/tool/":   "/v1/integration/%C3%B1/tool",
		"/v1/integration/template/x%3F/": "/v1/integration/template/x%3F",
	} {
		got := u.call("", "PUT", path, "")
		wantReply(t, got, 307, "")
		if to := got.header.Get("Location"); to != u.url+want {
			t.Errorf("%s: Location %q, want %q", path, to, u.url+want)
		}
		if kind := got.header.Get("Content-Type"); kind != "" {
			t.Errorf("%s: Content-Type %q", path, kind)
		}
	}
}

func TestRoutes_SlashAtTheEndOverTLS_IsRedirectedToHTTPS(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest(http.MethodGet, "https://emulator.example/v1/integration/", nil)
	w := httptest.NewRecorder()
	emulator.New(emulator.Options{}).ServeHTTP(w, r)
	if to := w.Header().Get("Location"); to != "https://emulator.example/v1/integration" {
		t.Errorf("got %q", to)
	}
}

func TestRoutes_EncodedSlash_SeparatesSegments(t *testing.T) {
	t.Parallel()
	u := start(t, emulator.Options{})
	if got := u.call("t", "GET", "/v1/integration%2Ftemplate", ""); got.status != 200 {
		t.Errorf("got %d %s", got.status, got.body)
	}
}
