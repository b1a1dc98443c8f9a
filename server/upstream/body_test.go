package upstream

import (
	"bytes"
	"compress/flate"
	"compress/zlib"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/digate/digate/server/apierror"
)

// zlibOf returns the parts in HTTP's deflate.
func zlibOf(text string) string {
	var b bytes.Buffer
	zw := zlib.NewWriter(&b)
	_, _ = io.WriteString(zw, text)
	_ = zw.Close()
	return b.String()
}

// deflateOf returns the text in deflate without a header.
func deflateOf(text string) string {
	var b bytes.Buffer
	zw, _ := flate.NewWriter(&b, flate.BestCompression)
	_, _ = io.WriteString(zw, text)
	_ = zw.Close()
	return b.String()
}

// chunksOf returns the text as chunks.
func chunksOf(text string) string {
	return strconv.FormatInt(int64(len(text)), 16) + "\r\n" + text + "\r\n0\r\n\r\n"
}

// A proxy may code a body that nobody asked it to code, twice or without its name, or
// name a coding that is not there. What came decides.
func TestCall_CreatedInACoding_IsDone(t *testing.T) {
	cut := func(text string) string { return text[:len(text)-1] }
	for _, tt := range []struct {
		names, body string
		whole       bool
	}{
		{"deflate", zlibOf(wholeResponse), true},
		{"Deflate", deflateOf(wholeResponse), true},
		{"deflate", wholeResponse, true},
		{"", zlibOf(wholeResponse), true},
		{"deflate, gzip", gzipped(zlibOf(wholeResponse)), true},
		{"gzip,deflate", deflateOf(gzipped(wholeResponse)), true},
		{"gzip, gzip", gzipped(gzipped(wholeResponse)), true},
		{"gzip, gzip", gzipped(wholeResponse), true},
		{"x-gzip, identity", gzipped(wholeResponse), true},
		{"gzip, x-gzip, gzip", gzipped(gzipped(gzipped(wholeResponse))), true},
		{"br", gzipped(wholeResponse), true},
		{"none", wholeResponse, true},
		{"", chunksOf(wholeResponse), true},
		{"gzip", chunksOf(gzipped(wholeResponse)), true},
		{"", strings.TrimSuffix(chunksOf(wholeResponse), "0\r\n\r\n"), false},
		{"deflate", cut(zlibOf(wholeResponse)), false},
		{"deflate", cut(deflateOf(wholeResponse)), false},
		{"gzip, gzip", gzipped(cut(gzipped(wholeResponse))), false},
		{"deflate", "\ufeff" + wholeResponse, false},
		{"deflate", deflateOf("\ufeff" + wholeResponse), false},
	} {
		v := newUpstream(t, nil, responding(ok201("Content-Encoding: "+tt.names+"\r\n", tt.body)))
		r := copyOne(t.Context(), newClient(t, v.url()))
		r.want(t, "", done, 201, 1, "")
		if r.resp.GetIntegration().GetId() != integrationID || r.resp.GetIntegration().GetName() != "CRM" {
			t.Errorf("%q of %.20q: %v", tt.names, tt.body, &r.resp)
		}
		if r.ex.Relay != tt.whole || tt.whole && string(r.ex.Body) != wholeResponse {
			t.Errorf("%q of %.20q: relay %v, %q", tt.names, tt.body, r.ex.Relay, r.ex.Body)
		}
	}
}

// Each coding of a body is bounded, and so is their number.
func TestCall_CodingsBeyondTheBounds_AreNotUndone(t *testing.T) {
	const limit = 64 << 10
	large := strings.Repeat(" ", 4<<20)
	four := gzipped(gzipped(gzipped(gzipped(wholeResponse))))
	for _, tt := range []struct{ body, reason, cause string }{
		{zlibOf(large), apierror.ReasonOutcomeUnknown, ErrResponseTooLarge.Error()},
		{deflateOf(large), apierror.ReasonOutcomeUnknown, ErrResponseTooLarge.Error()},
		{gzipped(zlibOf(large)), apierror.ReasonOutcomeUnknown, ErrResponseTooLarge.Error()},
		{zlibOf(gzipped(strings.Repeat(large, 4))), apierror.ReasonOutcomeUnknown, ErrResponseTooLarge.Error()},
		{four, apierror.ReasonInvalidResponse, "the response does not hold what was asked for"},
		{zlibOf(wholeResponse)[:30], apierror.ReasonOutcomeUnknown, errBrokenCoding.Error()},
		{"\x78\x9chunter2", apierror.ReasonOutcomeUnknown, errBrokenCoding.Error()},
		{chunksOf(wholeResponse)[:20], apierror.ReasonOutcomeUnknown, errBrokenCoding.Error()},
	} {
		v := newUpstream(t, nil, responding(ok201("Content-Encoding: deflate, gzip\r\n", tt.body)))
		r := copyOne(t.Context(), newClient(t, v.url(), func(c *Config) { c.MaxResponse = limit }))
		r.want(t, tt.reason, unknown, 201, 1, tt.cause)
		if len(r.ex.Body) > limit {
			t.Errorf("%d bytes were kept", len(r.ex.Body))
		}
	}
}

// FuzzReadBody holds decoding to its bound, and to leaving JSON as it is.
func FuzzReadBody(f *testing.F) {
	for _, body := range []string{
		wholeResponse, gzipped(wholeResponse), zlibOf(wholeResponse), deflateOf(wholeResponse), gzipped(gzipped("{}")), chunksOf(wholeResponse),
		gzipped(strings.Repeat("[", 1<<16)), "\x1f\x8b", "\x78\x9c", "1f\r\n{", "\ufeff{}", "",
	} {
		for _, names := range []string{"", "gzip", "deflate", "gzip, deflate, br"} {
			f.Add([]byte(body), names)
		}
	}
	f.Fuzz(func(t *testing.T, sent []byte, names string) {
		const limit = 4 << 10
		resp := &http.Response{
			Body: io.NopCloser(bytes.NewReader(sent)), ContentLength: int64(len(sent)), ProtoMajor: 1, ProtoMinor: 1,
			Header: http.Header{"Content-Encoding": {names}},
		}
		body, err := readBody(resp, limit)
		if len(body) > limit {
			t.Fatalf("%d bytes", len(body))
		}
		if len(sent) <= limit && json.Valid(sent) && utf8.Valid(sent) && (err != nil || !bytes.Equal(body, sent)) {
			t.Fatalf("%q is JSON and became %q, %v", sent, body, err)
		}
	})
}
