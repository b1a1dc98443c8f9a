package passthrough_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/authn"
	"github.com/digate/digate/server/authn/passthrough"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/ledger"
	"github.com/digate/digate/server/secret"
)

func newAuthenticator(t *testing.T) authn.Authenticator {
	t.Helper()
	keys, err := ledger.NewKeys([]byte(strings.Repeat("k", ledger.KeySize)))
	if err != nil {
		t.Fatal(err)
	}
	a := passthrough.New(keys.Caller)
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

func authenticate(t *testing.T, a authn.Authenticator, values ...string) *authn.Principal {
	t.Helper()
	p, err := a.Authenticate(t.Context(), authn.Request{Authorization: values})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestAuthenticate_OnlyOneWellFormedBearerValue_IsAccepted(t *testing.T) {
	a := newAuthenticator(t)
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
			p, err := a.Authenticate(t.Context(), authn.Request{Authorization: c.values})
			if c.token != "" {
				if err != nil || p.Credential.Reveal() != c.token || p.Named() != nil {
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

// The records of earlier versions are kept under this identity.
func TestAuthenticate_Identity_StaysAsItIs(t *testing.T) {
	const want = "86f57c32eb70fa5cbd7ea296c9282f02"
	p := authenticate(t, newAuthenticator(t), "Bearer token")
	for range 2 {
		if got := p.ID(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestAuthenticate_SpellingsOfOneHeader_HaveOneIdentity(t *testing.T) {
	a := newAuthenticator(t)
	want := authenticate(t, a, "Bearer token").ID()
	for _, value := range []string{"bearer token", "BEARER   token", "Bearer token  "} {
		if got := authenticate(t, a, value).ID(); got != want {
			t.Errorf("%q: got %s, want %s", value, got, want)
		}
	}
	if got := authenticate(t, a, "Bearer Token").ID(); got == want {
		t.Error("two tokens have one identity")
	}
}

func TestPrincipal_EveryPrintingPath_HidesTheToken(t *testing.T) {
	const token = "sk-very-secret"
	p := authenticate(t, newAuthenticator(t), "Bearer "+token)
	var out bytes.Buffer
	for range 2 { // without its identity, and with it
		holder := struct{ P *authn.Principal }{p}
		for _, v := range []any{p, holder, []*authn.Principal{p}} {
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
				fmt.Fprintf(&out, verb+"\n", v)
			}
			b, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			out.Write(b)
			slog.New(slog.NewJSONHandler(&out, nil)).Info("m", "p", v)
			slog.New(slog.NewTextHandler(&out, nil)).Info("m", "p", v)
		}
		fmt.Fprintln(&out, p.ID())
	}
	got := out.String()
	for _, never := range []string{token, fmt.Sprintf("%x", token)} {
		if strings.Contains(got, never) {
			t.Errorf("a printing path shows the token:\n%s", got)
		}
	}
	if n := strings.Count(got, secret.Redacted); n < 18 {
		t.Errorf("only %d redaction marks: some path printed nothing:\n%s", n, got)
	}
}
