package server_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/config"
	"github.com/digate/digate/test/await"
)

// options sends an OPTIONS request for a target that a client of net/http cannot ask
// for, which is *, and returns the response.
func (d *digate) options(t *testing.T, target, authorization string) response {
	t.Helper()
	c := connect(t, d.HTTPAddr())
	header := "Host: x\r\nConnection: close\r\n"
	if authorization != "" {
		header += "Authorization: " + authorization + "\r\n"
	}
	_, _ = fmt.Fprintf(c, "OPTIONS %s HTTP/1.1\r\n%s\r\n", target, header)
	resp, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: http.MethodOptions})
	if err != nil {
		t.Fatal(err)
	}
	return read(t, resp)
}

// priorKnowledge returns a client that speaks HTTP/2 without TLS.
func priorKnowledge(t *testing.T) *http.Client {
	t.Helper()
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: protocols, DisableCompression: true}
	if overTLS(t) {
		protocols.SetUnencryptedHTTP2(false)
		protocols.SetHTTP2(true)
		transport.TLSClientConfig = suiteTLS.client()
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// A request about the whole server is a call like any other.
func TestREST_OptionsOfEverything_HasALine(t *testing.T) {
	t.Parallel()
	d := start(t, "http://127.0.0.1:1")
	_ = d.options(t, "*", "Bearer "+token)
	_ = d.options(t, "*", "")
	_ = d.options(t, bulkPath, "Bearer "+token)
	d.log.await(t, 2, `"msg":"call","protocol":"rest","method":"other","code":"OK","outcome":"NOT_APPLICABLE"`)
	d.log.await(t, 1, `"msg":"call","protocol":"rest","method":"other","code":"UNAUTHENTICATED","outcome":"NOT_SENT"`)
}

// The bounds of a connection are those of its calls, however it is spoken on.
func TestREST_HTTP2_HasTheBoundsOfHTTP1(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	d := start(t, up.url(), func(c *config.Config) { c.MaxRequestBytes = 2000 })
	client := priorKnowledge(t)
	up.will(respond(201, nil, full))
	path := "/v1/integration/template/" + templateID + "/copy"
	large := `{"name":"` + strings.Repeat("a", 4<<20) + `"}`
	for range 3 {
		wantREST(t, send(t, client, "POST", d.rest, path, large), 413, "NOT_SENT", "REQUEST_TOO_LARGE")
		wantREST(t, send(t, client, "POST", d.rest, path, large, "Authorization", ""), 401, "NOT_SENT", "MISSING_CREDENTIAL")
		wantREST(t, send(t, client, "POST", d.rest, path, `{}`), 201, "", "")
	}
}

func TestREST_CORS_IsForTheListedOriginsAlone(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	d := start(t, up.url(), func(c *config.Config) { c.Gateway.CORSOrigins = "https://app.example, http://localhost:3000" })
	up.will(respond(201, nil, full))
	path := "/v1/integration/template/" + templateID + "/copy"
	for origin, listed := range map[string]bool{
		"https://app.example": true, "http://localhost:3000": true,
		"http://app.example": false, "https://app.example.evil": false, "https://app.example:444": false, "null": false, "*": false, "": false,
	} {
		preflight := d.do(t, "OPTIONS", path, "", "Authorization", "", "Origin", origin,
			"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization,content-type,idempotency-key")
		actual := d.do(t, "POST", path, `{}`, "Origin", origin)
		failed := d.do(t, "POST", path, `{}`, "Origin", origin, "Authorization", "")
		want := ""
		if listed {
			want = origin
			if preflight.status != 204 || preflight.body != "" || preflight.header.Get("Access-Control-Allow-Methods") != "OPTIONS, POST" ||
				!strings.Contains(preflight.header.Get("Access-Control-Allow-Headers"), "Authorization, Content-Type, Digate-Account, Digate-Timeout, Digate-Unresolved, Idempotency-Key, Prefer") {
				t.Errorf("%s, preflight: %d %v", origin, preflight.status, preflight.header)
			}
			if age := preflight.header.Get("Access-Control-Max-Age"); age != "600" {
				t.Errorf("%s, preflight: Access-Control-Max-Age %q", origin, age)
			}
			nowhere := d.do(t, "OPTIONS", "/v1/nowhere", "", "Authorization", "", "Origin", origin, "Access-Control-Request-Method", "POST")
			wantREST(t, nowhere, 404, "NOT_SENT", "ROUTE_NOT_FOUND")
			options := d.do(t, "OPTIONS", path, "", "Authorization", "", "Origin", origin)
			if options.header.Get("Access-Control-Allow-Methods") != "" || options.header.Get("Access-Control-Expose-Headers") == "" {
				t.Errorf("%s, OPTIONS that asks for no other request: %v", origin, options.header)
			}
		} else {
			wantREST(t, preflight, 401, "NOT_SENT", "MISSING_CREDENTIAL")
		}
		wantREST(t, actual, 201, "", "")
		wantREST(t, failed, 401, "NOT_SENT", "MISSING_CREDENTIAL")
		for _, got := range []response{preflight, actual, failed} {
			if got.header.Get("Access-Control-Allow-Origin") != want || got.header.Get("Vary") != "Origin" || got.header.Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("%s: %v", origin, got.header)
			}
		}
		if listed != strings.Contains(actual.header.Get("Access-Control-Expose-Headers"), "Digate-Outcome") {
			t.Errorf("%s: %v", origin, actual.header)
		}
	}
}

// A drain ends no call of a connection that carries many.
func TestREST_HTTP2Draining_CallsUnderWayGetTheirResponse(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	d := start(t, up.url())
	client := priorKnowledge(t)
	const calls = 5
	arrived, release := make(chan struct{}, calls), make(chan struct{})
	up.will(func(c net.Conn, r sent) bool {
		arrived <- struct{}{}
		<-release
		return respond(201, nil, full)(c, r)
	})
	responses := make(chan response, calls)
	for range calls {
		go func() { responses <- send(t, client, "POST", d.rest, copyPath, `{}`) }()
	}
	for range calls {
		await.Value(t, arrived, "a request at Diga")
	}
	d.stop()
	d.log.await(t, 1, `"msg":"draining"`)
	close(release)
	for range calls {
		wantREST(t, await.Value(t, responses, "a response"), 201, "", "")
	}
	await.Value(t, d.ended, "the end of the server")
}

// Large requests are refused while others take the memory, before they are decoded. A
// request that is done with takes none.
func TestREST_RequestsBeyondTheMemory_AreRefusedUntilOthersEnd(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	d := start(t, up.url(), func(c *config.Config) { c.MaxDecodedBytes = 1 << 20 })
	large := `{"name":"` + strings.Repeat("a", 300<<10) + `"}`
	bulk := func() response {
		return d.do(t, "POST", "/v1/integration/template:bulkCopy", `{"template_id":"`+templateID+`","request_id":"a",`+large[1:]+"\n")
	}
	for range 2 { // once by a stranger, once by a caller whom Diga knows
		began, release := make(chan struct{}), make(chan struct{})
		up.will(func(c net.Conn, s sent) bool { close(began); <-release; return respond(201, nil, full)(c, s) })
		first := make(chan response, 1)
		go func() { first <- d.copyREST(t, templateID, large) }()
		await.Value(t, began, "the first request")
		up.will(respond(201, nil, full))
		if got := d.copyREST(t, templateID, large); got.header.Get("Retry-After") == "" {
			t.Errorf("beyond the memory: %v", got)
		} else {
			wantREST(t, got, 503, "NOT_SENT", "OVERLOADED")
		}
		wantREST(t, bulk(), 503, "NOT_SENT", "OVERLOADED")
		if _, e := d.copyRPC(t, &integrationv1.CopyTemplateRequest{TemplateId: templateID, Name: new(large)}); e == nil || e.Reason != "OVERLOADED" {
			t.Errorf("over gRPC: %v", e)
		}
		wantREST(t, d.copyREST(t, templateID, `{}`), 201, "", "")
		close(release)
		wantREST(t, await.Value(t, first, "the end of the first request"), 201, "", "")
		wantREST(t, d.copyREST(t, templateID, large), 201, "", "")
		if got := bulk(); got.status != 200 {
			t.Errorf("a bulk request: %v", got)
		}
	}
}
