package gateway

import (
	"cmp"
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/digate/digate/server/contract"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/exchange/exchangetest"
)

// reached is a channel that notes which method was called.
type reached struct{ method string }

func (r *reached) Call(_ context.Context, method string, _ func(any) error) (any, metadata.MD, error) {
	return nil, nil, r.Serve(context.Background(), method, nil)
}

func (r *reached) Serve(_ context.Context, method string, _ grpc.ServerStream) error {
	r.method = method
	return status.Error(codes.Unavailable, "not here")
}

// The last route is asked first. So a path that a
// literal route has must not end up in a route with a variable in its place:
// for every pair of routes, a path that both match belongs to the one that is
// literal where they first differ.
func TestRoutes_PathThatTwoRoutesMatch_BelongsToTheMoreLiteral(t *testing.T) {
	channel := new(reached)
	c, err := contract.Load(contract.Integration())
	if err != nil {
		t.Fatal(err)
	}
	var observed string
	h, err := New(Config{Contract: c, Channel: channel, MaxBody: 1 << 20, Observer: exchangetest.Observer(func(op exchange.Operation, _ *exchange.Exchange, _ error) {
		observed = op.Method
	})})
	if err != nil {
		t.Fatal(err)
	}
	rs := newRoutes(c)
	if len(rs.all) == 0 {
		t.Fatal("the contract has no routes")
	}
	for _, a := range rs.all {
		for _, b := range rs.all {
			path, both := common(a, b)
			if !both || a.Binding.Verb != b.Binding.Verb {
				continue
			}
			want := a
			if literalFirst(b, a) {
				want = b
			}
			channel.method, observed = "", ""
			r := httptest.NewRequest(a.Binding.Verb, path, strings.NewReader(`{}`))
			h.ServeHTTP(httptest.NewRecorder(), r)
			if channel.method != want.FullName {
				t.Errorf("%s %s reached %q, want %s", a.Binding.Verb, path, channel.method, want.FullName)
			}
			if observed != want.FullName {
				t.Errorf("%s %s is observed as %s, want %s", a.Binding.Verb, path, observed, want.FullName)
			}
		}
	}
}

// common returns a path that both routes match, and whether there is one.
func common(a, b *route) (string, bool) {
	if len(a.Binding.Path) != len(b.Binding.Path) {
		return "", false
	}
	var path strings.Builder
	for i := range a.Binding.Path {
		s, o := a.Binding.Path[i], b.Binding.Path[i]
		text := "3c90c3cc-0d44-4b50-8888-8dd25736052a"
		switch {
		case s.Literal != "" && o.Literal != "":
			text = s.Literal
			if o.Literal != text {
				return "", false
			}
		case s.Literal != "" || o.Literal != "":
			text = s.Literal + o.Literal
			if !strings.HasSuffix(text, s.Suffix) || !strings.HasSuffix(text, o.Suffix) {
				return "", false
			}
		case s.Suffix != "" && o.Suffix != "" && s.Suffix != o.Suffix:
			return "", false
		default:
			text += cmp.Or(s.Suffix, o.Suffix)
		}
		path.WriteString("/" + text)
	}
	return path.String(), true
}

// literalFirst reports whether a is more literal than b where the two first differ:
// a literal, or a variable with a suffix in front of one without.
func literalFirst(a, b *route) bool {
	for i := range a.Binding.Path {
		a, b := a.Binding.Path[i], b.Binding.Path[i]
		if a.Literal != b.Literal {
			return a.Literal != ""
		}
		if a.Suffix != b.Suffix {
			return a.Suffix != ""
		}
	}
	return false
}

// The routes see the decoded path, as Diga's do: an escape hides no slash, and no letter
// of a fixed segment.
func TestGateway_MethodThatAPathDoesNotHave_IsToldWhichItHas(t *testing.T) {
	t.Parallel()
	for path, allow := range map[string]string{
		"/v1/integration/x":                        "DELETE, GET, HEAD, OPTIONS, PATCH",
		"/v1/integration/a%20b":                    "DELETE, GET, HEAD, OPTIONS, PATCH",
		"/v1/integr%61tion/x":                      "DELETE, GET, HEAD, OPTIONS, PATCH",
		"/v1/integration/a%2Ftool":                 "GET, HEAD, OPTIONS, POST",
		"/v1/integration%2fa/tool":                 "GET, HEAD, OPTIONS, POST",
		"/v1/integration/template/a%2Fcopy":        "OPTIONS, POST",
		"/v1/integration/template%3AbulkCopy":      "OPTIONS, POST",
		"/v1/integration/a%2Fb":                    "",
		"/v1/integration/":                         "",
		"/v1/integration/x/":                       "",
		"/v1/integration/x%2F":                     "",
		"/v1/integration//tool":                    "",
		"/v1/integration/x/.":                      "",
		"/v1/integr%2561tion":                      "",
		"/V1/integration":                          "",
		"/v1/integration/template/x/../y/copy":     "",
		"/v1/integration/template:bulkcopy/":       "",
		"/v1/integration;a=b/template/x/copy":      "",
		"/v1/integration/template/x/copy%3Flimit=": "",
	} {
		verbs := []string{"PUT", "PURGE", "OPTIONS"}
		if allow == "" {
			verbs = append(verbs, "GET", "HEAD", "POST", "PATCH", "DELETE")
		}
		for _, verb := range verbs {
			want := 405
			switch {
			case allow == "":
				want = 404
			case verb == "OPTIONS":
				want = 204
			}
			channel := new(reached)
			h := routed(t, channel)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest(verb, path, strings.NewReader(`{}`)))
			if w.Code != want || w.Header().Get("Allow") != allow || channel.method != "" {
				t.Errorf("%s %s: status %d, Allow %q, want %d, %q", verb, path, w.Code, w.Header().Get("Allow"), want, allow)
			}
		}
	}
}

// What Allow names is what the path does, and nothing else.
func TestGateway_MethodsThatAreAllowed_ReachTheService(t *testing.T) {
	t.Parallel()
	const uuid = "3c90c3cc-0d44-4b50-8888-8dd25736052a"
	for _, path := range []string{
		"/v1/integration", "/v1/integration/template", "/v1/integr%61tion/" + uuid, "/v1/integration/" + uuid + "%2Ftool",
		"/v1/integration/" + uuid + "/tool/" + uuid, "/v1/integration/template/" + uuid + "%2fcopy", "/v1/integration/" + uuid + "/tool-approval",
	} {
		w := httptest.NewRecorder()
		routed(t, new(reached)).ServeHTTP(w, httptest.NewRequest(http.MethodOptions, path, nil))
		allowed := strings.Split(w.Header().Get("Allow"), ", ")
		for _, verb := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"} {
			channel := new(reached)
			routed(t, channel).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(verb, path, strings.NewReader(`{}`)))
			if (channel.method != "") != slices.Contains(allowed, verb) {
				t.Errorf("%s %s reached %q, Allow %v", verb, path, channel.method, allowed)
			}
		}
	}
}

// routed returns the gateway of the contract in front of a channel.
func routed(t *testing.T, channel Channel) http.Handler {
	t.Helper()
	c, err := contract.Load(contract.Integration())
	if err != nil {
		t.Fatal(err)
	}
	h, err := New(Config{Contract: c, Channel: channel, MaxBody: 1 << 20, Observer: exchangetest.Observer(exchangetest.Ignore)})
	if err != nil {
		t.Fatal(err)
	}
	return h
}
