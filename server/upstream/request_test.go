package upstream

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/contract/contracttest"
	"github.com/digate/digate/server/exchange"
)

// lines joins an HTTP message's head and body.
func lines(body string, head ...string) string {
	return strings.Join(head, "\r\n") + "\r\n\r\n" + body
}

func TestCall_CopyTemplate_SendsExactlyTheseBytes(t *testing.T) {
	v := newUpstream(t, nil, responding(created()))
	c := newClient(t, v.url())
	r := copyWith(t.Context(), c, &integrationv1.CopyTemplateRequest{
		TemplateId: templateID, Name: new("é \"<x>"), ApiKey: new(""), RequestId: "a-request-id",
		Variables: &structpb.Struct{Fields: map[string]*structpb.Value{"n": structpb.NewNumberValue(5)}},
	})
	r.want(t, "", exchange.Done, 201, 1, "")
	body := `{"name":"é \"<x>","api_key":"","variables":{"n":5}}`
	want := lines(body,
		"POST /v1/integration/template/"+templateID+"/copy HTTP/1.1",
		"Host: "+v.ln.Addr().String(),
		"User-Agent: digate/test",
		fmt.Sprintf("Content-Length: %d", len(body)),
		"Accept: application/json",
		"Accept-Encoding: identity",
		"Authorization: Bearer "+token,
		"Content-Type: application/json")
	if got, _ := v.seen(); len(got) != 1 || got[0] != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// send calls the one method of a contract with a request in text, against a
// upstream that responds with an empty object, and returns the request that came.
func send(t *testing.T, method, request, base string) (string, error) {
	t.Helper()
	v := newUpstream(t, nil, responding(ok201("", `{"id":"x"}`)))
	sd := contracttest.Service(t, method)
	c, err := New(testConfig(v.url()+base), loaded(t, sd))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	req := dynamicpb.NewMessage(sd.Methods().Get(0).Input())
	if err := prototext.Unmarshal([]byte(request), req); err != nil {
		t.Fatal(err)
	}
	err = c.Call(t.Context(), Call{Method: "/t.S/Do", Request: req, Response: dynamicpb.NewMessage(sd.Methods().Get(0).Output())})
	got, _ := v.seen()
	if len(got) > 1 || (err != nil) != (len(got) == 0) {
		t.Fatalf("%d requests, error %v", len(got), err)
	}
	return strings.Join(got, ""), err
}

func TestCall_RulesAndRequests_MakeRequestLineAndBody(t *testing.T) {
	tests := []struct{ method, request, line, body string }{
		{contracttest.Method("Plain", "Empty", `get: "/a/{id}"`), `id: "7" request_id: "r"`, "GET /a/7", ""},
		{contracttest.Method("Plain", "Empty", `get: "/a/{id=*}"`), `id: "7"`, "GET /a/7", ""},
		{contracttest.Method("Plain", "Empty", `get: "/a/{parent}/b/{id}"`), `id: "7" parent: "p"`, "GET /a/p/b/7", ""},
		{contracttest.Method("Plain", "Empty", `post: "/a/{id}:cancel" body: "*"`), `id: "7" limit: 3`, "POST /a/7:cancel", `{"limit":3}`},
		{contracttest.Method("Plain", "Empty", `get: "/a:list"`), `after: "a b&c=é/+%" limit: 20 order: ORDER_DESC`, "GET /a:list?after=a+b%26c%3D%C3%A9%2F%2B%25&limit=20&order=DESC", ""},
		{contracttest.Method("Plain", "Empty", `get: "/a"`), `id: "" after: "" limit: 0 order: ORDER_UNSPECIFIED`, "GET /a?after=", ""},
		{contracttest.Method("Plain", "Empty", `delete: "/a/{id}"`), `id: "7"`, "DELETE /a/7", ""},
		{contracttest.Method("Plain", "Empty", `post: "/a/{id}"`), `id: "7" limit: 1`, "POST /a/7?limit=1", "0\r\n\r\n"},
		{contracttest.Method("Plain", "Empty", `custom { kind: "PURGE" path: "/a" } body: "*"`), `limit: 1`, "PURGE /a", `{"limit":1}`},
		{contracttest.Method("Full", "Empty", `patch: "/a/{id}" body: "*"`), `id: "7" inner { id: "i" key: "k" } hidden { id: "h" }`, "PATCH /a/7", `{"inner":{"id":"i","key":"k"}}`},
		{contracttest.Method("Full", "Empty", `put: "/a/{id}" body: "*"`), `id: "7" inner { id: "i" } hidden { id: "h" }`, "PUT /a/7", `{"inner":{"id":"i"}}`},
	}
	for _, tt := range tests {
		got, err := send(t, tt.method, tt.request, "")
		if err != nil {
			t.Errorf("%s: %v", tt.method, err)
			continue
		}
		head, body, _ := strings.Cut(got, "\r\n\r\n")
		line, header, _ := strings.Cut(head, "\r\n")
		if line != tt.line+" HTTP/1.1" || body != tt.body {
			t.Errorf("%s: got %q, body %q", tt.method, line, body)
		}
		for name, want := range map[string]bool{
			"Content-Type: application/json": strings.HasPrefix(body, "{"), "Content-Length: ": strings.HasPrefix(body, "{"),
			"Transfer-Encoding: chunked": strings.HasPrefix(body, "0"),
		} {
			if strings.Contains(header, name) != want {
				t.Errorf("%s: header %q: %q is there: %v", tt.method, header, name, !want)
			}
		}
	}
}

func TestCall_BaseURL_KeepsItsPath(t *testing.T) {
	for base, want := range map[string]string{
		"": "/a/7", "/": "/a/7", "/api": "/api/a/7", "/api/": "/api/a/7", "/api//": "/api/a/7", "/x/y": "/x/y/a/7",
		"/t%2Fu/": "/t%2Fu/a/7", "/t%2F": "/t%2F/a/7", "/(x)": "/(x)/a/7", "/é": "/%C3%A9/a/7",
	} {
		got, err := send(t, contracttest.Method("Plain", "Empty", `get: "/a/{id}"`), `id: "7"`, base)
		if line, _, _ := strings.Cut(got, "\r\n"); err != nil || line != "GET "+want+" HTTP/1.1" {
			t.Errorf("base %q: %q, %v", base, line, err)
		}
	}
}

func TestCall_PathValues_StayOneSegment(t *testing.T) {
	for value, want := range map[string]string{
		"a?b#c": "a%3Fb%23c", "a b": "a%20b", "%2e%2e": "%252e%252e", "a%2Fb": "a%252Fb", "..a": "..a", "...": "...",
		"é": "%C3%A9", "a\r\nX: y": "a%0D%0AX:%20y", "a\x00b": "a%00b", `a\b`: "a%5Cb", "*": "%2A", "a;b": "a%3Bb", "(x)!": "%28x%29%21",
	} {
		request := prototext.Format(wrapperspb.String(value)) // quotes as text does
		got, err := send(t, contracttest.Method("Plain", "Empty", `get: "/a/{id}/c"`), strings.Replace(request, "value:", "id:", 1), "/t%2Fu")
		if line, _, _ := strings.Cut(got, "\r\n"); err != nil || line != "GET /t%2Fu/a/"+want+"/c HTTP/1.1" {
			t.Errorf("%q: %q, %v", value, line, err)
		}
	}
}

func TestCall_PathValuesThatAreNoSegment_AreRefusedByName(t *testing.T) {
	for _, value := range []string{"", ".", "..", "a/b", "../x", "/"} {
		_, err := send(t, contracttest.Method("Plain", "Empty", `get: "/a/{parent}"`), fmt.Sprintf("parent: %q", value), "")
		e, ok := err.(*apierror.Error)
		if !ok || e.Reason != apierror.ReasonInvalidRequest || len(e.Violations) != 1 || e.Violations[0].Field != "parent" {
			t.Errorf("%q: %v", value, err)
		}
	}
}

func TestCall_WhatCannotBeSaid_IsRefusedAndNotSent(t *testing.T) {
	v := newUpstream(t, nil, responding(created()))
	c := newClient(t, v.url(), func(c *Config) { c.MaxRequest = 1 << 10 })
	r := copyWith(t.Context(), c, &integrationv1.CopyTemplateRequest{TemplateId: templateID, Name: new(strings.Repeat("x", 1<<10))})
	r.want(t, apierror.ReasonRequestTooLarge, exchange.NotSent, 0, 0, "")

	r = copyWith(t.Context(), c, &integrationv1.CopyTemplateRequest{TemplateId: templateID, Variables: &structpb.Struct{
		Fields: map[string]*structpb.Value{"a": structpb.NewListValue(&structpb.ListValue{Values: []*structpb.Value{{}}})}}})
	r.want(t, apierror.ReasonInvalidRequest, exchange.NotSent, 0, 0, "")
	if r.err == nil || len(r.err.Violations) != 1 || r.err.Violations[0].Field != "variables.a[0]" {
		t.Errorf("violations %+v", r.err)
	}

	ctx, ex := exchange.NewContext(t.Context())
	if err := c.Call(ctx, Call{Method: "/no/Method", Request: &r.resp, Response: &r.resp}); err == nil || ex.Outcome != exchange.NotSent {
		t.Errorf("unknown method: %v, %v", err, ex.Outcome)
	}
	c = newClient(t, v.url(), func(c *Config) {
		c.Credential = func(context.Context) (Credential, error) { return Credential{}, apierror.MissingCredential("x") }
	})
	copyOne(t.Context(), c).want(t, apierror.ReasonMissingCredential, exchange.NotSent, 0, 0, "")
	if got, conns := v.seen(); len(got) > 0 || conns > 0 {
		t.Errorf("the upstream saw %q on %d connections", got, conns)
	}
}

func TestCall_EnumNumberUnknownToTheContract_InAQuery_IsRefusedByName(t *testing.T) {
	v := newUpstream(t, nil, responding(created()))
	sd := contracttest.Service(t, contracttest.Method("Plain", "Empty", `get: "/a"`))
	c, err := New(testConfig(v.url()), loaded(t, sd))
	if err != nil {
		t.Fatal(err)
	}
	req := dynamicpb.NewMessage(sd.Methods().Get(0).Input())
	req.Set(req.Descriptor().Fields().ByName("order"), protoreflect.ValueOfEnum(99))
	err = c.Call(t.Context(), Call{Method: "/t.S/Do", Request: req, Response: dynamicpb.NewMessage(sd.Methods().Get(0).Output())})
	if e, ok := err.(*apierror.Error); !ok || len(e.Violations) != 1 || e.Violations[0].Field != "order" {
		t.Errorf("got %v", err)
	}
}

func TestCall_IPv6Host_IsReachedAndNamedInBrackets(t *testing.T) {
	ln, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Skip("no IPv6 loopback")
	}
	v := &fakeUpstream{ln: ln, respond: responding(created())}
	v.wg.Go(v.accept)
	t.Cleanup(v.close)
	copyOne(t.Context(), newClient(t, v.url())).want(t, "", exchange.Done, 201, 1, "")
	if got, _ := v.seen(); len(got) != 1 || !strings.Contains(got[0], "\r\nHost: "+ln.Addr().String()+"\r\n") {
		t.Errorf("got %q", got)
	}
}
