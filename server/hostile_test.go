package server_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/config"
	"github.com/digate/digate/server/exchange"
)

func TestHostileUpstream_ResponseWithoutEnd_IsBounded(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	const bound = 1 << 20
	d := start(t, up.url(), func(c *config.Config) { c.Responses.MaxResponse = bound })
	var bomb bytes.Buffer
	zw := gzip.NewWriter(&bomb)
	_, _ = io.WriteString(zw, `{"name":"`)
	chunk := bytes.Repeat([]byte("a"), 1<<20)
	for range 64 {
		_, _ = zw.Write(chunk)
	}
	_ = zw.Close()
	written := make(chan int, 2)
	for name, s := range map[string]script{
		"endless": func(c net.Conn, _ sent) bool {
			_, _ = io.WriteString(c, "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\n\r\n{\"name\":\"")
			n := 0
			for {
				m, err := c.Write(chunk)
				if n += m; err != nil {
					written <- n
					return false
				}
			}
		},
		"declared too large": func(c net.Conn, _ sent) bool {
			_, _ = fmt.Fprintf(c, "HTTP/1.1 201 Created\r\nContent-Length: %d\r\n\r\n{\"name\":\"", 1<<40)
			return false
		},
		"gzip bomb": respond(201, map[string]string{"Content-Encoding": "gzip"}, bomb.String()),
	} {
		t.Run(name, func(t *testing.T) {
			for _, protocol := range []string{"grpc", "rest"} {
				up.will(s)
				if protocol == "grpc" {
					_, e := d.copyRPC(t, &integrationv1.CopyTemplateRequest{TemplateId: templateID})
					if e == nil || e.Code != codes.Unknown || e.Outcome != exchange.Unknown {
						t.Errorf("got %v", e)
					}
				} else if rest := d.copyREST(t, templateID, `{}`); rest.status != 502 || rest.header.Get("Digate-Outcome") != "UNKNOWN" {
					t.Errorf("REST: %d %v", rest.status, rest.header)
				}
				up.one(t)
				if name == "endless" {
					if n := <-written; n > 16<<20 {
						t.Errorf("%d bytes were read of a response that is bounded at %d", n, bound)
					}
				}
			}
		})
	}
}

func TestHostileUpstream_GzipThatWasNotAskedFor_IsRead(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	d := start(t, up.url())
	var packed bytes.Buffer
	zw := gzip.NewWriter(&packed)
	_, _ = io.WriteString(zw, full)
	_ = zw.Close()
	up.will(respond(201, map[string]string{"Content-Encoding": "gzip"}, packed.String()))
	rest := d.copyREST(t, templateID, `{}`)
	if rest.status != 201 || rest.body != full || rest.header.Get("Content-Encoding") != "" {
		t.Errorf("REST: %d %v %s", rest.status, rest.header, rest.body)
	}
}

func TestHostileUpstream_ErrorThatEchoesSecrets_IsRedactedInTheStatus(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	d := start(t, up.url())
	body := `{"status":"error","error_code":"INVALID_API_KEY","message":"key ` + apiKey + ` of ` + token + ` with ` + varSec + ` is wrong"}`
	up.will(respond(401, nil, body))
	_, e := d.copyRPC(t, &integrationv1.CopyTemplateRequest{
		TemplateId: templateID, ApiKey: proto.String(apiKey), Variables: structOf("v", varSec),
	})
	if e == nil || e.Message != "key [redacted] of [redacted] with [redacted] is wrong" {
		t.Errorf("got %v: %q", e, e.Message)
	}
	up.will(respond(422, nil, `{"detail":[{"loc":["body","api_key"],"msg":"bad `+apiKey+`","type":"x","input":"`+apiKey+`","ctx":{"k":"`+apiKey+`"}}]}`))
	_, e = d.copyRPC(t, &integrationv1.CopyTemplateRequest{TemplateId: templateID, ApiKey: proto.String(apiKey)})
	if e == nil || len(e.Violations) != 1 || e.Violations[0].Field != "api_key" || e.Violations[0].Description != "bad [redacted]" {
		t.Errorf("got %v: %+v", e, e)
	}
}

func TestHostileClient_RequestTooLarge_IsRefusedAndNotSent(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	d := start(t, up.url())
	up.will(respond(201, nil, full))
	huge := `{"name":"` + strings.Repeat("a", 64<<20) + `"}`
	rest := d.copyREST(t, templateID, huge)
	if rest.status != 413 || rest.header.Get("Digate-Outcome") != "NOT_SENT" {
		t.Errorf("REST: %d %v", rest.status, rest.header)
	}
	wantEnvelope(t, rest.body, "REQUEST_TOO_LARGE")

	// The same without a Content-Length.
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, d.rest+"/v1/integration/template/"+templateID+"/copy",
		io.MultiReader(strings.NewReader(huge)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	if resp, err := d.http.Do(r); err == nil { // the connection may be cut while the client still sends
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("REST, chunked: %d", resp.StatusCode)
		}
	}

	_, e := d.copyRPC(t, &integrationv1.CopyTemplateRequest{TemplateId: templateID, Name: proto.String(strings.Repeat("a", 64<<20))})
	if e == nil || e.Code != codes.ResourceExhausted {
		t.Errorf("gRPC: %v", e)
	}
	if got := up.received(); len(got) != 0 {
		t.Errorf("Diga received %d requests", len(got))
	}
}

// No text in the place of an id makes digate send a request to another path.
func TestHostileClient_PathTricks_NeverReachDiga(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	d := start(t, up.url())
	up.will(respond(201, nil, full))
	for _, id := range []string{
		"..", "%2e%2e", "%2E%2E", ".", "%2e", "..%2f..", "a%2f..%2fb", "%0d%0aX-Evil:%201", "a%00b", "%c3%a9", "a%20b", "*", "{x}", "%7Bx%7D",
		"3c90c3cc-0d44-4b50-8888-8dd25736052a%2f..", "3c90c3cc-0d44-4b50-8888-8dd25736052a%3fx", "%252e%252e", ";x=1",
	} {
		rest := d.copyREST(t, id, `{}`)
		if rest.status != 422 && rest.status != 404 {
			t.Errorf("%s: REST %d %s", id, rest.status, rest.body)
		}
		if rest.header.Get("Location") != "" {
			t.Errorf("%s: redirected to %s", id, rest.header.Get("Location"))
		}
		if rest.header.Get("Digate-Outcome") != "NOT_SENT" {
			t.Errorf("%s: %v", id, rest.header)
		}
	}
	for _, path := range []string{"/v1/integration/template/../template/" + templateID + "/copy", "//v1/integration/template/" + templateID + "/copy",
		"/v1//integration/template/" + templateID + "/copy", "/v1/integration/template/" + templateID + "/copy/", "/"} {
		if rest := d.do(t, "POST", path, `{}`); rest.status != 404 {
			t.Errorf("%s: REST %d %s", path, rest.status, rest.body)
		} else {
			wantEnvelope(t, rest.body, "ROUTE_NOT_FOUND")
		}
	}
	for _, id := range []string{"..", "%2e%2e", "a\r\nX-Evil: 1", "a/../b", "a?b", "a#b", ""} {
		_, e := d.copyRPC(t, &integrationv1.CopyTemplateRequest{TemplateId: id})
		if e == nil || e.Code != codes.InvalidArgument || e.Outcome != exchange.NotSent {
			t.Errorf("%q: gRPC %v", id, e)
		}
	}
	up.none(t)
}

func TestHostileClient_WithoutAValidCredential_IsRefusedBeforeAnythingIsDecoded(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	d := start(t, up.url())
	up.will(respond(201, nil, full))
	for name, value := range map[string]string{
		"none": "", "basic": "Basic " + apiKey, "empty": "Bearer ", "two words": "Bearer a b", "not ASCII": "Bearer é", "bare": apiKey,
	} {
		rest := d.copyREST(t, templateID, `not even JSON`, "Authorization", value)
		if rest.status != 401 || rest.header.Get("WWW-Authenticate") != "Bearer" || rest.header.Get("Digate-Outcome") != "NOT_SENT" {
			t.Errorf("%s: REST %d %v", name, rest.status, rest.header)
		}
		wantEnvelope(t, rest.body, "MISSING_CREDENTIAL")
		if name == "not ASCII" {
			continue // grpc-go refuses to send it
		}
		ctx := t.Context()
		if value != "" {
			ctx = metadata.AppendToOutgoingContext(ctx, "authorization", value)
		}
		_, e := d.copyCtx(ctx, &integrationv1.CopyTemplateRequest{TemplateId: "not even an id"})
		if e == nil || e.Code != codes.Unauthenticated || e.Reason != "MISSING_CREDENTIAL" || e.Outcome != exchange.NotSent {
			t.Errorf("%s: gRPC %v", name, e)
		}
	}
	ctx := metadata.AppendToOutgoingContext(withToken(t.Context(), token), "authorization", "Bearer other")
	if _, e := d.copyCtx(ctx, &integrationv1.CopyTemplateRequest{TemplateId: templateID}); e == nil || e.Code != codes.Unauthenticated {
		t.Errorf("two credentials: gRPC %v", e)
	}
	// An HTTP client refuses to send a token with a CR in it, so the request is
	// written to a connection.
	c := connect(t, d.HTTPAddr())
	_, _ = fmt.Fprintf(c, "POST /v1/integration/template/%s/copy HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer a\rb\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}", templateID)
	if b, _ := io.ReadAll(c); !bytes.HasPrefix(b, []byte("HTTP/1.1 400")) && !bytes.HasPrefix(b, []byte("HTTP/1.1 401")) {
		t.Errorf("CR in a token: %s", b)
	}
	up.none(t)
}

func TestREST_HeadersThatAreNotOnTheAllowList_DoNotPass(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	d := start(t, up.url())
	up.will(respond(201, map[string]string{"Set-Cookie": "a=b", "Server": "uvicorn", "X-Internal": "1"}, full))
	rest := d.copyREST(t, templateID, `{}`,
		"Grpc-Timeout", "1n", "Grpc-Metadata-Authorization", "Bearer evil", "X-HTTP-Method-Override", "DELETE",
		"Content-Type", "application/x-www-form-urlencoded", "TE", "trailers", "X-Request-Id", "caller-7")
	if rest.status != 201 || rest.body != full {
		t.Fatalf("REST: %d %s", rest.status, rest.body)
	}
	for name := range rest.header {
		switch name {
		case "Content-Type", "Content-Length", "Date", "X-Request-Id":
		default:
			t.Errorf("the header %s: %s was passed on", name, rest.header.Get(name))
		}
	}
	if got := rest.header.Get("X-Request-Id"); got != "caller-7" {
		t.Errorf("X-Request-Id = %q", got)
	}
	if got := up.one(t).header.Get("Authorization"); got != "Bearer "+token {
		t.Error("another credential went upstream")
	}
}

func TestREST_MethodThatTheRouteDoesNotHave_Is405WithAllow(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	d := start(t, up.url())
	for _, method := range []string{"GET", "PUT", "DELETE", "PATCH", "TRACE", "BREW"} {
		rest := d.do(t, method, "/v1/integration/template/"+templateID+"/copy", "")
		if rest.status != 405 || rest.header.Get("Allow") != "OPTIONS, POST" {
			t.Errorf("%s: %d %v", method, rest.status, rest.header)
		}
		wantEnvelope(t, rest.body, "METHOD_NOT_ALLOWED")
	}
}
