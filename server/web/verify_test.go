package web

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/grpc/metadata"

	"github.com/digate/digate/server/exchange"
)

func TestProtocolOf_ContentTypeSaysIt(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]protocol{
		"application/json":                    {name: exchange.Connect, json: true},
		"application/json; charset=UTF-8":     {name: exchange.Connect, json: true},
		"application/json; charset=latin1":    {},
		"application/json; charset":           {},
		"Application/Connect+Proto":           {name: exchange.Connect, streamed: true},
		"application/grpc-web":                {name: exchange.GRPCWeb},
		"application/grpc-web-text":           {},
		"application/grpc":                    {},
		"":                                    {},
		"application/proto, application/json": {},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil)
		r.Header.Set("Content-Type", text)
		if got := protocolOf(r); got != want {
			t.Errorf("%q: got %+v, want %+v", text, got, want)
		}
		r.Method = http.MethodGet
		if got := protocolOf(r); got != (protocol{}) {
			t.Errorf("GET %q: got %+v, want none", text, got)
		}
	}
}

// A timeout of 0 is over: it is no absent one.
func TestVerify_Timeout_IsTheOneOfTheProtocol(t *testing.T) {
	t.Parallel()
	m := &method{kind: connect.StreamTypeUnary}
	for _, c := range []struct {
		of           protocol
		header, text string
		want         time.Duration
		ok           bool
	}{
		{protocol{name: exchange.Connect}, headerConnectTimeout, "", 0, true},
		{protocol{name: exchange.Connect}, headerConnectTimeout, "0", 1, true},
		{protocol{name: exchange.Connect}, headerConnectTimeout, "1500", 1500 * time.Millisecond, true},
		{protocol{name: exchange.Connect}, headerConnectTimeout, "1S", 0, false},
		{protocol{name: exchange.Connect}, headerGRPCTimeout, "1S", 0, true},
		{protocol{name: exchange.GRPCWeb}, headerGRPCTimeout, "0S", 1, true},
		{protocol{name: exchange.GRPCWeb}, headerGRPCTimeout, "1500m", 1500 * time.Millisecond, true},
		{protocol{name: exchange.GRPCWeb}, headerGRPCTimeout, "1500", 0, false},
		{protocol{name: exchange.GRPCWeb}, headerConnectTimeout, "1500", 0, true},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil)
		r.Header.Set(c.header, c.text)
		got, refused := verify(m, c.of, r)
		if got != c.want || (refused == nil) != c.ok {
			t.Errorf("%s %s: %q: got %v, %v, want %v, %v", c.of.name, c.header, c.text, got, refused, c.want, c.ok)
		}
		if refused != nil && refused.Violations[0].Field != c.header {
			t.Errorf("%s: %q: the field is %q", c.header, c.text, refused.Violations[0].Field)
		}
	}
}

// Binary values are base64, with padding or without, also several in one field.
func TestMetadata_BinaryValues_AreDecodedAndEncoded(t *testing.T) {
	t.Parallel()
	md := metadataOf(http.Header{
		"X-Trace": {"a, b", "c"}, "X-Id-Bin": {"AP8, AP8=", "no base64!"}, "Content-Type": {"application/proto"}, "Te": {"trailers"},
	})
	if got := md["x-trace"]; len(got) != 2 || got[0] != "a, b" {
		t.Errorf("x-trace: %q", got)
	}
	if got := md["x-id-bin"]; len(got) != 2 || got[0] != "\x00\xff" || got[1] != "\x00\xff" {
		t.Errorf("x-id-bin: %q, want the two values that are base64", got)
	}
	if len(md) != 2 {
		t.Errorf("got %v, want nothing of HTTP's own", md)
	}
	header := make(http.Header)
	addMetadata(header, metadata.Pairs("x-id-bin", "\x00\xff", "x-trace", "a"))
	if header.Get("X-Id-Bin") != "AP8" || header.Get("X-Trace") != "a" {
		t.Errorf("got %v", header)
	}
}
