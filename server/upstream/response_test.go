package upstream

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"runtime"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/contract/contracttest"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/httpbody"
)

func gzipped(parts ...string) string {
	var b bytes.Buffer
	for _, p := range parts {
		zw := gzip.NewWriter(&b)
		_, _ = io.WriteString(zw, p)
		_ = zw.Close()
	}
	return b.String()
}

func chunked(parts ...string) string {
	var b strings.Builder
	b.WriteString("HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n")
	for _, p := range parts {
		fmt.Fprintf(&b, "%x\r\n%s\r\n", len(p), p)
	}
	return b.String()
}

const (
	done         = exchange.Done
	rejected     = exchange.Rejected
	unknown      = exchange.Unknown
	notWholeText = "(response): not whole"
)

func TestCall_Responses_AreJudged(t *testing.T) {
	poor := `{"id":"` + integrationID + `"}`
	short := wholeResponse[:len(wholeResponse)-20]
	envelope := `{"status":"error","error_code":"INTEGRATION_TEMPLATE_NOT_FOUND","message":"no such template"}`
	noResult := "the response does not hold what was asked for"
	tests := []struct {
		name, response string
		reason         string
		outcome        exchange.Outcome
		status         int
		body           string
		relay          bool
		drift          []string // of which the first words are compared; nil is none
		cause          string
	}{
		{"whole", created(), "", done, 201, wholeResponse, true, nil, ""},
		{"200", strings.Replace(created(), "201 Created", "200 OK", 1), "", done, 200, wholeResponse, true, nil, ""},
		{"299", strings.Replace(created(), "201 Created", "299 Odd", 1), "", done, 299, wholeResponse, true, nil, ""},
		{"chunked", chunked(wholeResponse[:9], wholeResponse[9:]) + "0\r\n\r\n", "", done, 201, wholeResponse, true, nil, ""},
		{"until close", "HTTP/1.1 201 Created\r\n\r\n" + wholeResponse, "", done, 201, wholeResponse, true, nil, ""},
		{"HTTP/1.0", "HTTP/1.0 201 Created\r\n\r\n" + wholeResponse, "", done, 201, wholeResponse, true, nil, ""},
		{"two interim responses", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n" + created(), "", done, 201, wholeResponse, true, nil, ""},
		{"gzip unasked", ok201("Content-Encoding: gzip\r\n", gzipped(wholeResponse)), "", done, 201, wholeResponse, true, nil, ""},
		{"gzip in two members", ok201("Content-Encoding: X-GZIP\r\n", gzipped(wholeResponse[:20], wholeResponse[20:])), "", done, 201, wholeResponse, true, nil, ""},
		{"gzip by name alone", ok201("Content-Encoding: gzip\r\n", wholeResponse), "", done, 201, wholeResponse, true, nil, ""},
		{"gzip without its name", ok201("", gzipped(wholeResponse)), "", done, 201, wholeResponse, true, nil, ""},
		{"gzip without its name, chunked", chunked(gzipped(wholeResponse)) + "0\r\n\r\n", "", done, 201, wholeResponse, true, nil, ""},
		{"gzip as identity", ok201("Content-Encoding: identity\r\n", gzipped(wholeResponse)), "", done, 201, wholeResponse, true, nil, ""},
		{"identity", ok201("Content-Encoding: identity\r\n", wholeResponse), "", done, 201, wholeResponse, true, nil, ""},
		{"wrong content type", ok201("Content-Type: text/html\r\n", wholeResponse), "", done, 201, wholeResponse, true, nil, ""},
		{"poor", ok201("", poor), "", done, 201, poor, true, []string{"name", "base_url", "auth_type", "integration_type", "created_at", "updated_at"}, ""},

		{"cut after the id", ok201("", wholeResponse)[:len(created())-20], "", done, 201, short, false, []string{"", notWholeText}, ""},
		{"chunked, cut after the id", chunked(short), "", done, 201, short, false, []string{"", notWholeText}, ""},
		{"whole, last chunk missing", chunked(wholeResponse), "", done, 201, wholeResponse, false, []string{notWholeText}, ""},
		{"Content-Length too small", "HTTP/1.1 201 Created\r\nContent-Length: 60\r\n\r\n" + wholeResponse, "", done, 201, wholeResponse[:60], false, []string{"", notWholeText}, ""},
		{"Content-Length too large", "HTTP/1.1 201 Created\r\nContent-Length: 9999\r\n\r\n" + wholeResponse, "", done, 201, wholeResponse, false, []string{notWholeText}, ""},
		{"gzip with a broken checksum", ok201("Content-Encoding: gzip\r\n", gzipped(wholeResponse)[:len(gzipped(wholeResponse))-8]+"12345678"), "", done, 201, wholeResponse, false, []string{notWholeText}, ""},
		{"gzip with garbage behind", ok201("Content-Encoding: gzip\r\n", gzipped(wholeResponse)+"garbage-garbage"), "", done, 201, wholeResponse, false, []string{notWholeText}, ""},
		{"trailing garbage", ok201("", wholeResponse+"<hr>"), "", done, 201, wholeResponse + "<hr>", false, []string{notWholeText}, ""},

		{"gzip that breaks off after the id", ok201("Content-Encoding: gzip\r\n", gzipped(wholeResponse)[:len(gzipped(wholeResponse))-2]), "", done, 201, wholeResponse, false, []string{"", notWholeText}, ""},
		{"an id twice", ok201("", `{"id":"other","id":"`+integrationID+`","id":null,"id":7}`), "", done, 201, `{"id":"other","id":"` + integrationID + `","id":null,"id":7}`, false, []string{"id: duplicate_key", "id: string_type", "name", "base_url", "auth_type", "integration_type", "created_at", "updated_at"}, ""},
		{"404, byte-order mark", strings.Replace(ok201("", "\ufeff"+envelope), "201 Created", "404 Not Found", 1), "INTEGRATION_TEMPLATE_NOT_FOUND", rejected, 404, "\ufeff" + envelope, false, nil, ""},

		{"cut before the id", ok201("", wholeResponse)[:len(created())-len(wholeResponse)+10], apierror.ReasonOutcomeUnknown, unknown, 201, wholeResponse[:10], false, []string{notWholeText}, "connection closed"},
		{"cut in the header", "HTTP/1.1 201 Cre", apierror.ReasonOutcomeUnknown, unknown, 0, "", false, nil, "connection closed"},
		{"no response", "", apierror.ReasonOutcomeUnknown, unknown, 0, "", false, nil, "connection closed"},
		{"not HTTP", "hunter2 is the password\r\n\r\n", apierror.ReasonOutcomeUnknown, unknown, 0, "", false, nil, "the response is not HTTP"},
		{"header not HTTP", "HTTP/1.1 201 Created\r\nhunter2\r\n\r\n", apierror.ReasonOutcomeUnknown, unknown, 0, "", false, nil, "the response is not HTTP"},
		{"header too large", "HTTP/1.1 201 Created\r\nX: " + strings.Repeat("x", 64<<10) + "\r\n\r\n", apierror.ReasonOutcomeUnknown, unknown, 0, "", false, nil, "the exchange failed"},
		{"interim responses without end", strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 5000), apierror.ReasonOutcomeUnknown, unknown, 0, "", false, nil, "the exchange failed"},
		{"switched protocols", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nhunter2", apierror.ReasonInvalidResponse, unknown, 101, "", false, nil, ""},
		{"empty 2xx", ok201("", ""), apierror.ReasonInvalidResponse, unknown, 201, "", false, []string{notWholeText}, noResult},
		{"204", "HTTP/1.1 204 No Content\r\n\r\n", apierror.ReasonInvalidResponse, unknown, 204, "", false, []string{notWholeText}, noResult},
		{"HTML 2xx", ok201("", "<html>"), apierror.ReasonInvalidResponse, unknown, 201, "<html>", false, []string{notWholeText}, noResult},
		{"null id", ok201("", `{"id":null}`), apierror.ReasonInvalidResponse, unknown, 201, `{"id":null}`, false, []string{"id", "name", "base_url", "auth_type", "integration_type", "created_at", "updated_at"}, noResult},
		{"gzip with a broken header", ok201("Content-Encoding: gzip\r\n", "\x1f\x8b"+wholeResponse), apierror.ReasonOutcomeUnknown, unknown, 201, "", false, []string{notWholeText}, errBrokenCoding.Error()},
		{"a coding that is none", ok201("Content-Encoding: utf-8\r\n", wholeResponse), "", done, 201, wholeResponse, true, nil, ""},
		{"a coding that is none, of nearly JSON", ok201("Content-Encoding: utf-8\r\n", "\ufeff"+wholeResponse), "", done, 201, "\ufeff" + wholeResponse, false, []string{"(response): not JSON", notWholeText}, ""},
		{"unknown coding", ok201("Content-Encoding: br\r\n", "\x8b\x03"), apierror.ReasonOutcomeUnknown, unknown, 201, "\x8b\x03", false, []string{notWholeText}, errUnknownCoding.Error()},
		{"coded twice, cut", ok201("Content-Encoding: gzip\r\nContent-Encoding: gzip\r\n", "\x1f\x8b"), apierror.ReasonOutcomeUnknown, unknown, 201, "", false, []string{notWholeText}, errBrokenCoding.Error()},

		{"404", strings.Replace(ok201("", envelope), "201 Created", "404 Not Found", 1), "INTEGRATION_TEMPLATE_NOT_FOUND", rejected, 404, envelope, true, nil, ""},
		{"404, gzip", strings.Replace(ok201("Content-Encoding: gzip\r\n", gzipped(envelope)), "201 Created", "404 Not Found", 1), "INTEGRATION_TEMPLATE_NOT_FOUND", rejected, 404, envelope, true, nil, ""},
		{"404, cut", strings.Replace(ok201("", envelope), "201 Created", "404 Not Found", 1)[:100], apierror.ReasonUnexpected, rejected, 404, "", false, nil, "connection closed"},
		{"502 HTML", strings.Replace(ok201("", "<html>"), "201 Created", "502 Bad Gateway", 1), apierror.ReasonGateway, unknown, 502, "<html>", false, nil, ""},
		{"redirect", "HTTP/1.1 307 Temporary Redirect\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n", apierror.ReasonUnexpected, rejected, 307, "", false, nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := newUpstream(t, nil, func(c net.Conn, _ string) bool {
				_, _ = io.WriteString(c, tt.response)
				return false
			})
			r := copyOne(t.Context(), newClient(t, v.url()))
			r.want(t, tt.reason, tt.outcome, tt.status, 1, tt.cause)
			if tt.outcome == done && r.resp.GetIntegration().GetId() != integrationID {
				t.Errorf("response %v", &r.resp)
			}
			if tt.name != "404, cut" && string(r.ex.Body) != tt.body {
				t.Errorf("body %q", r.ex.Body)
			}
			if r.ex.Relay != tt.relay {
				t.Errorf("relay %v", r.ex.Relay)
			}
			wantDrift(t, r.ex.Drift, tt.drift)
			for _, d := range r.ex.Drift {
				if d.Meaning() == d.Kind {
					t.Errorf("server/exchange/meaning.go says nothing of %s", d.Kind)
				}
			}
			if got, conns := v.seen(); len(got) != 1 || conns != 1 {
				t.Errorf("%d requests on %d connections", len(got), conns)
			}
		})
	}
}

// A text that is only nearly JSON is read for all that it says, and its id makes it
// a success. It is not passed on as it is.
func TestCall_CreatedInOddJSON_IsDone(t *testing.T) {
	rest := strings.TrimPrefix(wholeResponse, `{"id":"`+integrationID+`",`)
	before := func(odd string) string { return `{` + odd + `,"id":"` + integrationID + `",` + rest }
	after := func(odd string) string { return `{"id":"` + integrationID + `",` + odd + `,` + rest }
	units := []byte{0xff, 0xfe}
	for _, c := range wholeResponse {
		units = append(units, byte(c), 0)
	}
	for _, tt := range []struct{ name, body string }{
		{"byte-order mark", "\ufeff" + wholeResponse},
		{"byte-order mark and lines", "\ufeff\r\n" + wholeResponse + "\r\n\x00"},
		{"UTF-16", string(units)},
		{"UTF-16 without a mark", string(units[2:])},
		{"NaN before", before(`"x":NaN`)}, {"NaN after", after(`"x":[NaN,-Infinity]`)},
		{"NaN in a field", after(`"description":NaN`)},
		{"control character before", before("\"x\":\"a\x01\n\"")}, {"control character after", after("\"x\":\"a\x01\n\"")},
		{"control character in a key", before("\"x\t\":1")}, {"zero in a text", after("\"x\":\"a\x00\"")},
		{"Latin-1", after("\"x\":\"caf\xe9\t\"")},
		{"an escape that is none", before(`"x":"C:\dir"`)}, {"half an escape", after(`"x":"\u12"`)},
		{"odd numbers", before(`"x":[01,+1,.5,1.]`)},
		{"single quotes", strings.ReplaceAll(after(`"x":None`), `"`, `'`)},
		{"Python's words", after(`"x":[True,False,None]`)},
		{"keys without quotes", strings.Replace(wholeResponse, `"name"`, `name`, 1)},
		{"a comma before the end", strings.TrimSuffix(wholeResponse, "}") + ",}"},
		{"odd and cut", after(`"x":NaN`) + "\x01trailing"},
		{"a space of Latin-1", "{\xa0" + wholeResponse[1:]},
		{"UTF-32", utf32Of("\ufeff" + wholeResponse)}, {"UTF-32 without a mark", utf32Of(wholeResponse)},
		{"a guard", ")]}',\n" + wholeResponse}, {"a loop as a guard", "while(1);" + wholeResponse},
		{"a comment around it", "/*" + wholeResponse + "*/"}, {"a comment before it", "/* from the cache */" + wholeResponse},
		{"a comment behind it", wholeResponse + "\n// 12 ms"}, {"a comment in it", after("\"x\":1/* one */")},
		{"two commas", after(`"x":1,`)}, {"a key without a value", before(`"x":`)},
	} {
		for _, coding := range []string{"", "Content-Encoding: gzip\r\n"} {
			v := newUpstream(t, nil, responding(ok201(coding, tt.body)))
			r := copyOne(t.Context(), newClient(t, v.url()))
			r.want(t, "", done, 201, 1, "")
			if got := r.resp.GetIntegration(); got.GetId() != integrationID || got.GetBaseUrl() != "https://crm" || got.GetUpdatedAt() == nil {
				t.Errorf("%s: %v", tt.name, got)
			}
			if r.ex.Relay || !slices.Contains(texts(r.ex.Drift), "(response): not JSON") {
				t.Errorf("%s: relay %v, drift %q", tt.name, r.ex.Relay, texts(r.ex.Drift))
			}
		}
	}
}

// An id that is not whole, or not at its place, is none.
func TestCall_CreatedWithoutAnID_IsUnknown(t *testing.T) {
	for _, body := range []string{
		"\ufeff", "\ufeff{}", `{'id':'` + integrationID[:8], `{"x":NaN,"id":"` + integrationID, `[{"id":"` + integrationID + `"}]`,
		`{"data":{"id":"` + integrationID + `"}}`, `{"x":NaN,"data":{"id":"` + integrationID + `"}}`, `{id:null,}`, `{"id":NaN}`,
		`<script>{"id":"` + integrationID + `"}</script>`, `<p>{'id':'` + integrationID + `'}`, "<\x00{\x00", `{"id":"\ud800"}`,
	} {
		v := newUpstream(t, nil, responding(ok201("", body)))
		r := copyOne(t.Context(), newClient(t, v.url()))
		if r.ex.Outcome != unknown || r.reason() != apierror.ReasonInvalidResponse {
			t.Errorf("%q: %v %s", body, r.ex.Outcome, r.reason())
		}
	}
}

// What is whole and JSON, but no text in UTF-8, or has another id for others who read
// it, is written anew for REST callers.
func TestCall_CreatedInJSONThatOthersReadOtherwise_IsDoneAndNotRelayed(t *testing.T) {
	for _, tt := range []struct {
		body  string
		drift []string
	}{
		{strings.Replace(wholeResponse, "CRM", "caf\xe9", 1), []string{"name: string_unicode"}},
		{strings.TrimSuffix(wholeResponse, "}") + ",\"caf\xe9\":1}", []string{"caf?: unknown_field"}},
		{`{"id":null,` + wholeResponse[1:], []string{"id: duplicate_key"}},
		{strings.TrimSuffix(wholeResponse, "}") + `,"id":null}`, []string{"id: duplicate_key"}},
	} {
		v := newUpstream(t, nil, responding(ok201("", tt.body)))
		r := copyOne(t.Context(), newClient(t, v.url()))
		r.want(t, "", done, 201, 1, "")
		if r.resp.GetIntegration().GetId() != integrationID || r.ex.Relay {
			t.Errorf("%q: relay %v, %v", tt.body, r.ex.Relay, &r.resp)
		}
		wantDrift(t, r.ex.Drift, tt.drift)
	}
}

// utf32Of returns the text in UTF-32.
func utf32Of(text string) string {
	var out []byte
	for _, r := range text {
		out = binary.LittleEndian.AppendUint32(out, uint32(r))
	}
	return string(out)
}

// texts returns the drift as logs show it.
func texts(drift []exchange.Drift) (out []string) {
	for _, d := range drift {
		out = append(out, d.String())
	}
	return out
}

// wantDrift compares the fields that drifted; where the first wanted is empty,
// only the last is compared.
func wantDrift(t *testing.T, drift []exchange.Drift, want []string) {
	t.Helper()
	got := texts(drift)
	if len(want) == 2 && want[0] == "" {
		got, want = got[max(0, len(got)-1):], want[1:]
	}
	ok := len(got) == len(want)
	for i := range min(len(got), len(want)) {
		ok = ok && strings.HasPrefix(got[i], want[i])
	}
	if !ok {
		t.Errorf("drift %q, want %q", got, want)
	}
}

// A response of exactly the bound is taken, in every framing; one more byte is
// not.
func TestCall_ResponseAtTheBound_IsTaken(t *testing.T) {
	pad := func(n int) string { return wholeResponse + strings.Repeat(" ", n-len(wholeResponse)) }
	const limit = httpbody.MaxPresized + 1000
	for _, size := range []int{httpbody.MaxPresized - 1, httpbody.MaxPresized, httpbody.MaxPresized + 1, limit, limit + 1} {
		body := pad(size)
		for name, response := range map[string]string{
			"Content-Length": ok201("", body), "chunked": chunked(body) + "0\r\n\r\n", "gzip": ok201("Content-Encoding: gzip\r\n", gzipped(body)),
		} {
			v := newUpstream(t, nil, responding(response))
			r := copyOne(t.Context(), newClient(t, v.url(), func(c *Config) { c.MaxResponse = limit }))
			r.want(t, "", done, 201, 1, "")
			if len(r.ex.Body) != min(size, limit) || r.ex.Relay != (size <= limit) {
				t.Errorf("%s of %d bytes: %d read, relay %v", name, size, len(r.ex.Body), r.ex.Relay)
			}
		}
	}
}

func TestCall_ResponseWithoutEnd_IsBounded(t *testing.T) {
	const limit = 200 << 10
	bomb := gzipped(strings.Repeat(" ", 8<<20))
	for name, script := range map[string]func(net.Conn, string) bool{
		"bomb": responding(ok201("Content-Encoding: gzip\r\n", bomb)),
		"gzip header that does not end": func(c net.Conn, _ string) bool {
			_, err := io.WriteString(c, "HTTP/1.1 201 Created\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b\x08\x08\x00\x00\x00\x00\x00\x03")
			for err == nil {
				_, err = c.Write(bytes.Repeat([]byte("x"), 4<<10))
			}
			return false
		},
		"plain": func(c net.Conn, _ string) bool {
			_, err := io.WriteString(c, "HTTP/1.1 201 Created\r\n\r\n")
			for err == nil {
				_, err = c.Write(bytes.Repeat([]byte(" "), 4<<10))
			}
			return false
		},
		"Content-Length": responding("HTTP/1.1 201 Created\r\nContent-Length: 99999999999\r\n\r\n" + strings.Repeat(" ", limit+1)),
	} {
		t.Run(name, func(t *testing.T) {
			v := newUpstream(t, nil, script)
			r := copyOne(t.Context(), newClient(t, v.url(), func(c *Config) { c.MaxResponse = limit }))
			r.want(t, apierror.ReasonOutcomeUnknown, unknown, 201, 1, ErrResponseTooLarge.Error())
			if len(r.ex.Body) > limit {
				t.Errorf("%d bytes were kept", len(r.ex.Body))
			}
		})
	}
}

// A response gets memory as it comes, not as it announces itself.
func TestCall_ContentLengthLies_TakesNoMemory(t *testing.T) {
	v := newUpstream(t, nil, func(c net.Conn, _ string) bool {
		_, _ = io.WriteString(c, "HTTP/1.1 201 Created\r\nContent-Length: 536870912\r\n\r\n"+wholeResponse)
		return false
	})
	c := newClient(t, v.url(), func(c *Config) { c.MaxResponse = 1 << 30 })
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	copyOne(t.Context(), c).want(t, "", done, 201, 1, "")
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 64<<20 {
		t.Errorf("%d bytes", n)
	}
}

// A method without a result, or whose result has no id, is judged by its own
// contract.
func TestCall_ContractWithoutAnID_NeedsAWholeResponse(t *testing.T) {
	for _, tt := range []struct {
		method, response string
		done, relay      bool
	}{
		{contracttest.Method("Plain", "Empty", `delete: "/a"`), "HTTP/1.1 204 No Content\r\n\r\n", true, true},
		{contracttest.Method("Plain", "Empty", `delete: "/a"`), ok201("", `{"ok":true}`), true, true},
		{contracttest.Method("Plain", "Empty", `delete: "/a"`), ok201("", "<html>"), false, false},
		{contracttest.Method("Plain", "Empty", `delete: "/a"`), ok201("", "\ufeff\r\n"), true, true},
		{contracttest.Method("Plain", "Empty", `delete: "/a"`), ok201("", "\ufeff"+`{"ok":NaN}`), true, false},
		{contracttest.Method("Plain", "Empty", `delete: "/a"`), ok201("", "<html>")[:44], true, false},
		{contracttest.Method("Plain", "Full", `get: "/a" response_body: "inner"`), ok201("", `{"id":"7"}`), true, true},
		{contracttest.Method("Plain", "Full", `get: "/a" response_body: "inner"`), ok201("", `{"key":"7"}`), false, false},
		{contracttest.Method("Plain", "Flat", `get: "/a"`), ok201("", `{"type":"B","id":"7"}`), true, true},
		{contracttest.Method("Plain", "Flat", `get: "/a"`), ok201("", `{"type":"B","id":"7"`), true, false},
		{contracttest.Method("Plain", "Flat", `get: "/a"`), ok201("", `{"type":"B","key":"7"}`), false, false},
		{contracttest.Method("Plain", "Flat", `get: "/a"`), ok201("", `{"type":"C","id":"7"}`), true, true},
		{contracttest.Method("Plain", "Flat", `get: "/a"`), ok201("", `{"id":"7"}`), true, true},
		{contracttest.Method("Plain", "Flat", `get: "/a"`), ok201("", `{"type":"B","id":"7","id":null}`), true, false},
		{contracttest.Method("Plain", "Flat", `get: "/a"`), ok201("", `{"type":"C","id":null,"id":"7","id":null}`), true, false},
		{contracttest.Method("Plain", "Empty", `delete: "/a"`), ok201("", "{\"ok\":\"\xe9\"}"), true, false},
		{contracttest.Method("Plain", "Flat", `get: "/a"`), ok201("", `{"type":"C","id":7}`), false, false},
		{contracttest.Method("Plain", "Flat", `get: "/a"`), ok201("", `{"type":"C","id":"7","x":[1`), true, false},
		{contracttest.Method("Plain", "Flat", `get: "/a"`), ok201("", `{"id":"7","x":[1,`), true, false},
		{contracttest.Method("Plain", "Flat", `get: "/a"`), ok201("", `{"id":"7`), false, false},
		{contracttest.Method("Plain", "Flat", `get: "/a"`), ok201("", `{"x":{"id":"7"}}`), false, false},
		{contracttest.Method("Plain", "Flat", `get: "/a"`), ok201("", `{"x":NaN,"id":"7"}`), true, false},
		{contracttest.Method("Plain", "NoID", `get: "/a"`), ok201("", `{"tags":["a"]}`), true, true},
		{contracttest.Method("Plain", "NoID", `get: "/a"`), ok201("", `{}`), true, true},
		{contracttest.Method("Plain", "NoID", `get: "/a"`), ok201("", `{"tags":["a"]`), false, false},
		{contracttest.Method("Plain", "NoID", `get: "/a"`), ok201("", "\ufeff"+`{"tags":["a"]}`), true, false},
		{contracttest.Method("Plain", "NoID", `get: "/a"`), ok201("", `{"tags":["a"],"x":NaN`), false, false},
		{contracttest.Method("Plain", "NoID", `get: "/a"`), ok201("", `{"tags":["a"]}`)[:50], false, false},
	} {
		v := newUpstream(t, nil, func(c net.Conn, _ string) bool { _, _ = io.WriteString(c, tt.response); return false })
		sd := contracttest.Service(t, tt.method)
		c, err := New(testConfig(v.url()), loaded(t, sd))
		if err != nil {
			t.Fatal(err)
		}
		ctx, ex := exchange.NewContext(t.Context())
		m := sd.Methods().Get(0)
		err = c.Call(ctx, Call{Method: "/t.S/Do", Request: dynamicpb.NewMessage(m.Input()), Response: dynamicpb.NewMessage(m.Output())})
		if (err == nil) != tt.done || ex.Relay != tt.relay {
			t.Errorf("%s, %q: %v, relay %v", tt.method, tt.response, err, ex.Relay)
		}
		c.Close()
	}
}

func TestCall_Redirects_AreNotFollowed(t *testing.T) {
	for status, want := range map[string]exchange.Outcome{
		"301": exchange.Unknown, "302": exchange.Unknown, "303": exchange.Unknown, "307": rejected, "308": rejected,
	} {
		v := newUpstream(t, nil, responding("HTTP/1.1 "+status+" Moved\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"))
		r := copyOne(t.Context(), newClient(t, v.url()))
		if got, _ := v.seen(); len(got) != 1 || r.ex.Outcome != want {
			t.Errorf("%s: %d requests, %v", status, len(got), r.ex.Outcome)
		}
	}
}

// Not even a request without a body, which net/http would send again by itself,
// goes out twice when a kept connection breaks under it.
func TestCall_ReadOnABrokenConnection_IsSentOnce(t *testing.T) {
	n := 0
	v := newUpstream(t, nil, func(c net.Conn, _ string) bool {
		if n++; n == 2 {
			reset(c)
			return false
		}
		_, err := io.WriteString(c, ok201("", `{"tags":[]}`))
		return err == nil
	})
	sd := contracttest.Service(t, contracttest.Method("Plain", "NoID", `get: "/a"`))
	c, err := New(testConfig(v.url()), loaded(t, sd))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	var reasons []string
	for range 2 {
		m := sd.Methods().Get(0)
		reason := ""
		if err := c.Call(t.Context(), Call{Method: "/t.S/Do", Request: dynamicpb.NewMessage(m.Input()), Response: dynamicpb.NewMessage(m.Output())}); err != nil {
			reason = err.(*apierror.Error).Reason
		}
		reasons = append(reasons, reason)
	}
	if got, _ := v.seen(); len(got) != 2 || !slices.Equal(reasons, []string{"", apierror.ReasonOutcomeUnknown}) {
		t.Errorf("%d requests, reasons %q", len(got), reasons)
	}
}
