package authn_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/tap"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/authn"
	"github.com/digate/digate/server/contract"
	"github.com/digate/digate/server/secret"
)

// fake accepts every call that has an authorization header, and keeps the last
// request.
type fake struct{ last authn.Request }

func (f *fake) Authenticate(_ context.Context, r authn.Request) (*authn.Principal, error) {
	f.last = r
	if len(r.Authorization) == 0 {
		return nil, apierror.MissingCredential("none")
	}
	return authn.NewPrincipal(secret.New(r.Authorization[0]), func(string) string { return "somebody" }), nil
}

func (*fake) Close() error { return nil }

func TestTapHandle_HealthAndReflection_NeedNoCredential(t *testing.T) {
	tapped := authn.TapHandle(&fake{}, contract.Open)
	for method, open := range map[string]bool{
		"/grpc.health.v1.Health/Check":                                   true,
		"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo":      true,
		"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": true,
		"/diga.integration.v1.IntegrationService/CopyTemplate":           false,
		"/grpc.healthy.v1.Health/Check":                                  false,
		"/grpc.health.v1.Health/Checks":                                  false,
		"/grpc.health.v1.Health/":                                        false,
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
	if err != nil || authn.FromContext(ctx).Credential.Reveal() != "Bearer t" {
		t.Errorf("with a credential: %v", err)
	}
}

func TestTapHandle_StateOfTheConnection_ReachesTheAuthenticator(t *testing.T) {
	var a fake
	info := &tap.Info{FullMethodName: "/x.Y/Z", Header: metadata.Pairs("authorization", "Bearer t")}
	for name, c := range map[string]struct {
		ctx        context.Context
		serverName string
	}{
		"TLS":        {peer.NewContext(t.Context(), &peer.Peer{AuthInfo: credentials.TLSInfo{State: tls.ConnectionState{ServerName: "digate.example"}}}), "digate.example"},
		"plain text": {peer.NewContext(t.Context(), &peer.Peer{}), ""},
		"no peer":    {t.Context(), ""},
	} {
		if _, err := authn.TapHandle(&a, contract.Open)(c.ctx, info); err != nil {
			t.Fatal(err)
		}
		if state := a.last.TLS; (state != nil) != (c.serverName != "") || state != nil && state.ServerName != c.serverName {
			t.Errorf("%s: got %v", name, state)
		}
	}
}

func TestMiddleware_StateOfTheConnection_ReachesTheAuthenticator(t *testing.T) {
	var a fake
	h := authn.Middleware(&a, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), nil)
	for _, url := range []string{"https://digate.example/", "http://digate.example/"} {
		r := httptest.NewRequest(http.MethodGet, url, nil)
		r.Header.Set("Authorization", "Bearer t")
		h.ServeHTTP(httptest.NewRecorder(), r)
		if a.last.TLS != r.TLS {
			t.Errorf("%s: got %v", url, a.last.TLS)
		}
	}
}

func TestCheck_OnlyACallWithAPrincipal_Passes(t *testing.T) {
	p := authn.NewPrincipal(secret.New("t"), func(string) string { return "somebody" })
	for name, c := range map[string]struct {
		ctx    context.Context
		method string
		passes bool
	}{
		"no principal": {t.Context(), "/x.Y/Z", false},
		"a principal":  {authn.NewContext(t.Context(), p), "/x.Y/Z", true},
		"open":         {t.Context(), "/grpc.health.v1.Health/Check", true},
	} {
		if err := authn.Check(c.ctx, c.method); (err == nil) != c.passes {
			t.Errorf("%s: err = %v", name, err)
		}
	}
}

func TestStreamInterceptor_OnlyAStreamWithAPrincipal_ReachesTheService(t *testing.T) {
	p := authn.NewPrincipal(secret.New("t"), func(string) string { return "somebody" })
	for name, c := range map[string]struct {
		ctx     context.Context
		method  string
		reaches bool
	}{
		"no principal": {t.Context(), "/x.Y/Z", false},
		"a principal":  {authn.NewContext(t.Context(), p), "/x.Y/Z", true},
		"open":         {t.Context(), "/grpc.health.v1.Health/Watch", true},
	} {
		reached := false
		err := authn.StreamInterceptor(nil, stream{ctx: c.ctx}, &grpc.StreamServerInfo{FullMethod: c.method},
			func(any, grpc.ServerStream) error { reached = true; return nil })
		if reached != c.reaches || (err == nil) != c.reaches {
			t.Errorf("%s: err = %v, reached = %v", name, err, reached)
		}
	}
}

// stream is a server's stream with this context.
type stream struct {
	grpc.ServerStream
	ctx context.Context
}

func (s stream) Context() context.Context { return s.ctx }

func TestMiddleware_NoCredential_BodyIsNotRead(t *testing.T) {
	body := &readSpy{}
	refused := false
	h := authn.Middleware(&fake{},
		http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("reached the handler") }),
		func(w http.ResponseWriter, _ *http.Request, err error) {
			refused = true
			w.WriteHeader(http.StatusUnauthorized)
		})
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/", body))
	if !refused || body.read {
		t.Errorf("refused = %v, body read = %v", refused, body.read)
	}
}

type readSpy struct{ read bool }

func (r *readSpy) Read([]byte) (int, error) { r.read = true; return 0, errors.New("read") }
