package authn_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/tap"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/authn"
	"github.com/digate/digate/server/exchange"
)

func TestPassthrough_OnlyOneWellFormedBearerValue_IsAccepted(t *testing.T) {
	for name, c := range map[string]struct {
		values []string
		token  string
	}{
		"bearer":             {[]string{"Bearer t"}, "t"},
		"any case":           {[]string{"bEARER abc.def-_~+/="}, "abc.def-_~+/="},
		"several spaces":     {[]string{"Bearer   t"}, "t"},
		"at the bound":       {[]string{"Bearer " + strings.Repeat("x", 8<<10)}, strings.Repeat("x", 8<<10)},
		"none":               {nil, ""},
		"two values":         {[]string{"Bearer a", "Bearer b"}, ""},
		"empty":              {[]string{""}, ""},
		"no token":           {[]string{"Bearer"}, ""},
		"only spaces":        {[]string{"Bearer   "}, ""},
		"basic":              {[]string{"Basic dTpw"}, ""},
		"no scheme":          {[]string{"sk-secret-token"}, ""},
		"two in one":         {[]string{"Bearer a, Bearer b"}, ""},
		"inner space":        {[]string{"Bearer a b"}, ""},
		"CRLF":               {[]string{"Bearer a\r\nX-Evil: 1"}, ""},
		"NUL":                {[]string{"Bearer a\x00"}, ""},
		"DEL":                {[]string{"Bearer a\x7f"}, ""},
		"not ASCII":          {[]string{"Bearer é"}, ""},
		"beyond the bound":   {[]string{"Bearer " + strings.Repeat("x", 8<<10+1)}, ""},
		"tab instead of spc": {[]string{"Bearer\tt"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := authn.Passthrough{}.Authenticate(c.values)
			if c.token != "" {
				if err != nil || p.Upstream.Reveal() != c.token {
					t.Fatalf("got %v, %v", p, err)
				}
				return
			}
			var e *apierror.Error
			if !errors.As(err, &e) || e.Code != codes.Unauthenticated || e.Outcome != exchange.NotSent {
				t.Fatalf("got %v, %v, want UNAUTHENTICATED, NOT_SENT", p, err)
			}
			for _, v := range c.values {
				if _, token, _ := strings.Cut(v, " "); len(token) > 3 && strings.Contains(e.Message, token) {
					t.Errorf("the message quotes the credential: %q", e.Message)
				}
			}
		})
	}
}

func TestTapHandle_HealthAndReflection_NeedNoCredential(t *testing.T) {
	tapped := authn.TapHandle(authn.Passthrough{})
	for method, open := range map[string]bool{
		"/grpc.health.v1.Health/Check":                                   true,
		"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo":      true,
		"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": true,
		"/diga.integration.v1.IntegrationService/CopyTemplate":           false,
		"/grpc.healthy.v1.Health/Check":                                  false,
		"":                                                               false,
	} {
		ctx, err := tapped(t.Context(), &tap.Info{FullMethodName: method, Header: metadata.MD{}})
		if (err == nil) != open {
			t.Errorf("%s: err = %v, want open = %v", method, err, open)
		}
		if open && authn.FromContext(ctx) != nil {
			t.Errorf("%s: has a principal", method)
		}
	}
	ctx, err := tapped(t.Context(), &tap.Info{FullMethodName: "/x.Y/Z", Header: metadata.Pairs("authorization", "Bearer t")})
	if err != nil || authn.FromContext(ctx).Upstream.Reveal() != "t" {
		t.Errorf("with a credential: %v", err)
	}
}

func TestUnaryInterceptor_NoPrincipal_NeverReachesTheService(t *testing.T) {
	called := false
	_, err := authn.UnaryInterceptor(t.Context(), nil, &grpc.UnaryServerInfo{FullMethod: "/x.Y/Z"},
		func(ctx context.Context, _ any) (any, error) { called = true; return nil, nil })
	if err == nil || called {
		t.Errorf("err = %v, called = %v", err, called)
	}
}

func TestMiddleware_NoCredential_BodyIsNotRead(t *testing.T) {
	body := &readSpy{}
	refused := false
	h := authn.Middleware(authn.Passthrough{},
		http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("reached the handler") }),
		func(w http.ResponseWriter, _ *http.Request, err error) { refused = true; w.WriteHeader(401) })
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", "/", body))
	if !refused || body.read {
		t.Errorf("refused = %v, body read = %v", refused, body.read)
	}
}

type readSpy struct{ read bool }

func (r *readSpy) Read([]byte) (int, error) { r.read = true; return 0, errors.New("read") }
