package clients

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
)

// decode decodes a response.
func decode[T any, M interface {
	*T
	proto.Message
}](t *testing.T, b []byte) M {
	t.Helper()
	m := M(new(T))
	if err := proto.Unmarshal(b, m); err != nil {
		t.Fatal(err)
	}
	return m
}

// copied returns the integration in the one response of a copy.
func copied(t *testing.T, e ended) *integrationv1.Integration {
	t.Helper()
	if e.Code != "OK" || len(e.Responses) != 1 {
		t.Fatalf("the copy ended with %+v", e)
	}
	return decode[integrationv1.CopyTemplateResponse](t, e.Responses[0]).GetIntegration()
}

// bulk is a call that makes n copies in one stream.
func bulk(t *testing.T, n int) call {
	t.Helper()
	items := make([]proto.Message, n)
	for i := range items {
		one := copyOf()
		one.RequestId = fmt.Sprint("order-", i)
		items[i] = &integrationv1.BulkCopyTemplateRequest{Copy: one}
	}
	return newCall(t, "BulkCopyTemplate", items...)
}

// A client that compresses is understood, and gets compressed responses. One that
// does not gets none.
func TestGzip_UnaryAndStream_BothWays(t *testing.T) {
	each(t, nil, func(t *testing.T, c client) {
		const size = 300_000
		long := strings.Repeat("d", size)
		up := newUpstream(t, func(w http.ResponseWriter, _ *http.Request, _ int) { integration(w, long) })
		d := serve(t, up.URL)
		for _, compression := range []string{"", "gzip"} {
			b := newBalancer(t, d.GRPC)
			ends := c.calls(t, plan{Address: b.address(), Compression: compression, Calls: []call{newCall(t, "CopyTemplate", copyOf()), bulk(t, 3)}})
			if got := copied(t, ends[0]).GetDescription(); got != long {
				t.Errorf("%q: a description of %d bytes", compression, len(got))
			}
			if ends[1].Code != "OK" || len(ends[1].Responses) != 4 {
				t.Errorf("%q: the stream ended with %.300v", compression, ends[1])
			}
			if n := b.responses.Load(); (compression == "gzip") != (n < size) {
				t.Errorf("%q: the responses were %d bytes", compression, n)
			}
		}
	})
}

// A client may compress what it sends and accept no compressed response.
func TestGzip_ClientThatAcceptsNone_GetsNone(t *testing.T) {
	each(t, func(c client) bool { return c.accept }, func(t *testing.T, c client) {
		up := newUpstream(t, func(w http.ResponseWriter, _ *http.Request, _ int) { integration(w, strings.Repeat("d", 100_000)) })
		d := serve(t, up.URL)
		ends := c.calls(t, plan{Address: d.GRPC, Compression: "gzip", Accept: "identity", Calls: []call{newCall(t, "CopyTemplate", copyOf()), bulk(t, 3)}})
		if got := copied(t, ends[0]).GetId(); got != integrationID {
			t.Errorf("the id is %q", got)
		}
		if ends[1].Code != "OK" || len(ends[1].Responses) != 4 {
			t.Errorf("the stream ended with %.300v", ends[1])
		}
	})
}

// An encoding that digate does not support is refused with a verdict.
func TestDeflate_IsRefused_NotSent(t *testing.T) {
	each(t, func(c client) bool { return c.deflate }, func(t *testing.T, c client) {
		up := newUpstream(t, func(w http.ResponseWriter, _ *http.Request, _ int) { integration(w, "d") })
		d := serve(t, up.URL)
		for i, e := range c.calls(t, plan{Address: d.GRPC, Compression: "deflate", Calls: []call{newCall(t, "CopyTemplate", copyOf()), bulk(t, 3)}}) {
			if e.Code != "UNIMPLEMENTED" || e.Info["outcome"] != "NOT_SENT" || e.Domain != "digate" {
				t.Errorf("call %d ended with %+v", i, e)
			}
		}
		if n := up.requests.Load(); n != 0 {
			t.Errorf("%d requests reached Diga", n)
		}
	})
}

// A message of any size that is too large is refused with a verdict, though its client
// is still sending it.
func TestLargeRequest_IsRefused_NotSent(t *testing.T) {
	each(t, nil, func(t *testing.T, c client) {
		up := newUpstream(t, func(w http.ResponseWriter, _ *http.Request, _ int) { integration(w, "d") })
		d := serve(t, up.URL)
		var calls []call
		for _, mib := range []int{5, 20} {
			if c.deaf && mib > 16 {
				continue // it waits until its deadline
			}
			large := copyOf()
			large.Name = new(strings.Repeat("n", mib<<20))
			item := proto.CloneOf(large)
			item.RequestId = "order"
			calls = append(calls, newCall(t, "CopyTemplate", large), newCall(t, "BulkCopyTemplate", &integrationv1.BulkCopyTemplateRequest{Copy: item}))
		}
		for i, e := range c.calls(t, plan{Address: d.GRPC, Calls: calls}) {
			if e.Code != "RESOURCE_EXHAUSTED" || e.Reason != "REQUEST_TOO_LARGE" || e.Info["outcome"] != "NOT_SENT" {
				t.Errorf("call %d ended with %+v", i, e)
			}
		}
		if n := up.requests.Load(); n != 0 {
			t.Errorf("%d requests reached Diga", n)
		}
	})
}

// What is larger than the client takes does not fail a copy that was made.
func TestLargeResponse_Copy_IsDoneWithoutItsLargestField(t *testing.T) {
	each(t, nil, func(t *testing.T, c client) {
		up := newUpstream(t, func(w http.ResponseWriter, r *http.Request, _ int) {
			long := strings.Repeat("d", 5<<20)
			if r.Method == http.MethodGet {
				respond(w, http.StatusOK, map[string]any{"id": templateID, "name": "n", "description": long})
				return
			}
			integration(w, long)
		})
		d := serve(t, up.URL)
		ends := c.calls(t, plan{Address: d.GRPC, Calls: []call{newCall(t, "CopyTemplate", copyOf()), newCall(t, "GetTemplate", get())}})
		if in := copied(t, ends[0]); in.GetId() != integrationID || in.GetName() != "n" || in.Description != nil {
			t.Errorf("the copy is %.300v", in)
		}
		if got := ends[0].Trailer["digate-omitted"]; got != "integration.description" {
			t.Errorf("omitted: %q", got)
		}
		if e := ends[1]; e.Code != "RESOURCE_EXHAUSTED" || e.Reason != "RESPONSE_TOO_LARGE" || e.Info["outcome"] != "DONE" {
			t.Errorf("the read ended with %+v", e)
		}
	})
}

// Metadata that is too large ends its call, and not the others on the connection.
func TestLargeMetadata_EndsItsCallAlone(t *testing.T) {
	each(t, nil, func(t *testing.T, c client) {
		const neighbours = 5
		release := make(chan struct{})
		up := newUpstream(t, func(w http.ResponseWriter, r *http.Request, _ int) {
			select {
			case <-release:
			case <-r.Context().Done():
			}
			integration(w, "d")
		})
		d := serve(t, up.URL)
		b := newBalancer(t, d.GRPC)
		large := newCall(t, "CopyTemplate", copyOf())
		large.Metadata["x-large"] = strings.Repeat("m", 40<<10)
		p := plan{Address: b.address(), Calls: []call{large}}
		for range neighbours {
			p.Calls = append(p.Calls, newCall(t, "CopyTemplate", copyOf()))
		}
		driver := c.drive(t, p)
		e := driver.next(t)
		close(release)
		if e.Index != 0 || e.Code != "RESOURCE_EXHAUSTED" || e.Info["outcome"] != "NOT_SENT" {
			t.Errorf("ended with %+v", e)
		}
		for range neighbours {
			copied(t, driver.next(t))
		}
		if n := b.connections.Load(); n != 1 {
			t.Errorf("the calls went over %d connections", n)
		}
	})
}

// A client reads a status's details with its library's own helper.
func TestErrorDetails_AreReadByTheLibrary(t *testing.T) {
	each(t, nil, func(t *testing.T, c client) {
		up := newUpstream(t, func(w http.ResponseWriter, _ *http.Request, _ int) {
			respond(w, http.StatusNotFound, map[string]any{"status": "error", "error_code": "NO_SUCH_TEMPLATE", "message": "none: ñ"})
		})
		d := serve(t, up.URL)
		wrong := get()
		wrong.TemplateId = "x"
		ends := c.calls(t, plan{Address: d.GRPC, Calls: []call{newCall(t, "GetTemplate", get()), newCall(t, "GetTemplate", wrong)}})
		if e := ends[0]; e.Code != "NOT_FOUND" || e.Message != "none: ñ" || e.Reason != "NO_SUCH_TEMPLATE" || e.Domain != "diga.io" || e.Info["outcome"] != "REJECTED" || e.Info["http_status"] != "404" {
			t.Errorf("Diga's refusal: %+v", e)
		}
		if e := ends[1]; e.Code != "INVALID_ARGUMENT" || e.Info["outcome"] != "NOT_SENT" || !slices.Equal(e.Violations, []string{"template_id"}) {
			t.Errorf("digate's refusal: %+v", e)
		}
		for _, e := range ends {
			if len(e.Header) > 0 {
				t.Errorf("a failure came with a header: %v", e.Header)
			}
		}
	})
}
