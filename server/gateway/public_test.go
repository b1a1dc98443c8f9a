package gateway_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/contract"
	"github.com/digate/digate/server/gateway"
)

// newPublic returns a handler of the public routes, in front of one that responds
// with 401.
func newPublic(t *testing.T, routes ...gateway.PublicRoute) (http.Handler, *failures, error) {
	t.Helper()
	methods, err := contract.Load(contract.Integration())
	if err != nil {
		t.Fatal(err)
	}
	observed := new(failures)
	h, err := gateway.NewPublic(gateway.PublicConfig{
		Contract: methods, Routes: routes, MaxBody: 10, Observer: observed,
		Next: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }),
	})
	return h, observed, err
}

func TestPublic_OnlyTheRouteItself_IsServedAndObserved(t *testing.T) {
	t.Parallel()
	page := gateway.PublicRoute{Path: "/docs/a%2Fb", Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "page") })}
	for _, c := range []struct {
		verb, path string
		status     int
		observed   int
		reason     string
	}{
		{"GET", "/docs/a%2Fb", 200, 1, ""},
		{"HEAD", "/docs/a%2Fb", 200, 1, ""},
		{"GET", "/docs/a%2Fb?x=1", 200, 1, ""},
		{"POST", "/docs/a%2Fb", 405, 1, apierror.ReasonMethodNotAllowed},
		{"GET", "/docs/a/b", 200, 1, ""},
		{"GET", "/d%6fcs/a/b", 200, 1, ""},
		{"GET", "/docs/a%2Fb/", 401, 0, ""},
		{"GET", "//docs/a%2Fb", 401, 0, ""},
		{"GET", "/v1/integration", 401, 0, ""},
	} {
		h, observed, err := newPublic(t, page)
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(c.verb, c.path, nil))
		ops := observed.ended()
		if w.Code != c.status || len(ops) != c.observed {
			t.Errorf("%s %s: %d, observed %v", c.verb, c.path, w.Code, ops)
			continue
		}
		if c.observed == 1 && (ops[0].method != "" || (ops[0].err != nil) != (c.reason != "") || c.reason != "" && apierror.FromError(ops[0].err).Reason != c.reason) {
			t.Errorf("%s %s: observed %v", c.verb, c.path, ops)
		}
		if c.status == 405 && (w.Header().Get("Allow") != "GET, HEAD" || !strings.Contains(w.Body.String(), c.reason)) {
			t.Errorf("%v %s", w.Header(), w.Body)
		}
	}
}

func TestPublic_Body_IsBounded(t *testing.T) {
	t.Parallel()
	var tooLarge *http.MaxBytesError
	h, _, err := newPublic(t, gateway.PublicRoute{Path: "/docs", Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if _, err := io.ReadAll(r.Body); !errors.As(err, &tooLarge) || tooLarge.Limit != 10 {
			t.Errorf("read without a bound: %v", err)
		}
	})})
	if err != nil {
		t.Fatal(err)
	}
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/docs", strings.NewReader("eleven byte")))
}

func TestPublic_RoutesThatCannotBe_AreNamedTogether(t *testing.T) {
	t.Parallel()
	var routes []gateway.PublicRoute
	paths := []string{"", "docs", "/a b", "/docs?x", gateway.BulkPath, "/v1/integration", "/v1/integration/docs", "/v1/integration/x/tool", "/twice"}
	for _, path := range append(paths, "/twice", "/v1/docs") {
		routes = append(routes, gateway.PublicRoute{Path: path, Handler: http.NotFoundHandler()})
	}
	_, _, err := newPublic(t, routes...)
	if err == nil {
		t.Fatal("no error")
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != len(paths) {
		t.Errorf("%d lines: %v", len(lines), err)
	}
	for i, path := range paths {
		if i < len(lines) && !strings.HasPrefix(lines[i], `public route "`+path+`": `) {
			t.Errorf("%q: %s", path, lines[i])
		}
	}
}
