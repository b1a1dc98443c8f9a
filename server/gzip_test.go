package server_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"strings"
	"testing"

	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	grpcgzip "google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
)

func gzipped(t *testing.T, message []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(message); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// compressed sends a unary call whose message is compressed.
func (f *rawClient) compressed(stream uint32, encoding string, message []byte, extra ...hpack.HeaderField) {
	f.t.Helper()
	f.open(stream, integrationv1.IntegrationService_CopyTemplate_FullMethodName, false, append(extra, hpack.HeaderField{Name: "grpc-encoding", Value: encoding})...)
	data := append(binary.BigEndian.AppendUint32([]byte{1}, uint32(len(message))), message...)
	const frame = 16 << 10 // the largest of a peer that did not ask for larger ones
	for len(data) > frame {
		if err := f.WriteData(stream, false, data[:frame]); err != nil {
			f.t.Fatal(err)
		}
		data = data[frame:]
	}
	if err := f.WriteData(stream, true, data); err != nil {
		f.t.Fatal(err)
	}
}

func TestGzip_UnaryAndStream_AreTakenAndReturned(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	up.will(respond(201, nil, full))
	d := start(t, up.url())
	ctx := withToken(t.Context(), token)
	name := strings.Repeat("shop ", 20)
	for encoding, options := range map[string][]grpc.CallOption{"gzip": {grpc.UseCompressor(grpcgzip.Name)}, "": nil} {
		var header metadata.MD
		if _, err := d.rpc.CopyTemplate(ctx, &integrationv1.CopyTemplateRequest{TemplateId: templateID, Name: &name}, append(options, grpc.Header(&header))...); err != nil {
			t.Fatal(err)
		}
		stream, err := d.rpc.BulkCopyTemplate(ctx, options...)
		if err != nil {
			t.Fatal(err)
		}
		if err := stream.Send(&integrationv1.BulkCopyTemplateRequest{Copy: &integrationv1.CopyTemplateRequest{TemplateId: templateID, Name: &name, RequestId: "a" + encoding}}); err != nil {
			t.Fatal(err)
		}
		if err := stream.CloseSend(); err != nil {
			t.Fatal(err)
		}
		if resp, err := stream.Recv(); err != nil || resp.GetIntegration() == nil {
			t.Errorf("%q: %v, %v", encoding, resp, err)
		}
	}
	for _, r := range up.received() {
		if !strings.Contains(r.body, name) {
			t.Errorf("Diga received %s", r.body)
		}
	}
}

// The response is compressed only where the request was, and its caller says that it
// takes the encoding: Connect can send what it does not take.
func TestGzip_Response_IsCompressedWhereTheRequestWasAndItIsAccepted(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	up.will(respond(201, nil, full))
	d := start(t, up.url())
	message, err := proto.Marshal(&integrationv1.CopyTemplateRequest{TemplateId: templateID})
	if err != nil {
		t.Fatal(err)
	}
	raw := dialRaw(t, d.GRPCAddr())
	accept := func(encodings string) hpack.HeaderField {
		return hpack.HeaderField{Name: "grpc-accept-encoding", Value: encodings}
	}
	raw.request(1, integrationv1.IntegrationService_CopyTemplate_FullMethodName, message, accept("gzip"))
	if got := raw.headerOf(1)["grpc-encoding"]; got != "" && got != "identity" {
		t.Errorf("a plain request got a response in %s", got)
	}
	raw.compressed(3, "gzip", gzipped(t, message), accept("identity,deflate, gzip"))
	if got := raw.headerOf(3)["grpc-encoding"]; got != "gzip" {
		t.Errorf("a gzipped request got a response in %q", got)
	}
	for stream, extra := range map[uint32][]hpack.HeaderField{5: nil, 7: {accept("identity")}} {
		raw = dialRaw(t, d.GRPCAddr())
		raw.compressed(stream, "gzip", gzipped(t, message), extra...)
		if got := raw.headerOf(stream)["grpc-encoding"]; got != "" && got != "identity" {
			t.Errorf("a client that takes %v got a response in %s", extra, got)
		}
	}
}

func TestEncoding_ThatCannotBeRead_IsRefusedWithAVerdict(t *testing.T) {
	t.Parallel()
	d := start(t, newScripted(t).url())
	message := []byte("whatever it is")
	whole := gzipped(t, bytes.Repeat([]byte("text"), 100))
	damaged := bytes.Clone(whole)
	damaged[len(damaged)-8]++ // of the checksum
	stream := uint32(1)
	for name, c := range map[string]struct {
		encoding string
		message  []byte
		code     codes.Code
		reason   string
		says     string
	}{
		"deflate":                  {"deflate", message, codes.Unimplemented, apierror.ReasonUnsupportedEncoding, "deflate"},
		"snappy":                   {"snappy", message, codes.Unimplemented, apierror.ReasonUnsupportedEncoding, "snappy"},
		"zstd":                     {"zstd", message, codes.Unimplemented, apierror.ReasonUnsupportedEncoding, "zstd"},
		"gzip, much too large":     {"gzip", gzipped(t, make([]byte, 6<<20)), codes.ResourceExhausted, apierror.ReasonRequestTooLarge, "4194304"},
		"gzip, far too large":      {"gzip", gzipped(t, make([]byte, 32<<20)), codes.ResourceExhausted, apierror.ReasonRequestTooLarge, "4194304"},
		"gzip, no protobuf":        {"gzip", gzipped(t, bytes.Repeat([]byte{0xff}, 100)), codes.InvalidArgument, apierror.ReasonInvalidRequest, "protobuf"},
		"gzip that is none":        {"gzip", message, codes.InvalidArgument, apierror.ReasonInvalidRequest, "no gzip"},
		"gzip, empty":              {"gzip", nil, codes.InvalidArgument, apierror.ReasonInvalidRequest, "cut off"},
		"gzip, cut off":            {"gzip", whole[:len(whole)-9], codes.InvalidArgument, apierror.ReasonInvalidRequest, "cut off"},
		"gzip, without its length": {"gzip", whole[:len(whole)-4], codes.InvalidArgument, apierror.ReasonInvalidRequest, "cut off"},
		"gzip, damaged":            {"gzip", damaged, codes.InvalidArgument, apierror.ReasonInvalidRequest, "checksum"},
		"gzip, no deflate":         {"gzip", append(bytes.Clone(whole[:10]), bytes.Repeat([]byte{0xff}, 30)...), codes.InvalidArgument, apierror.ReasonInvalidRequest, "cannot be decompressed"},
	} {
		raw := dialRaw(t, d.GRPCAddr())
		raw.compressed(stream, c.encoding, c.message)
		if e := raw.verdict(stream); e.Code != c.code || e.Reason != c.reason || e.Outcome.String() != "NOT_SENT" || !strings.Contains(e.Message, c.says) {
			t.Errorf("%s: %v, %q", name, e, e.Message)
		}
	}
	d.log.await(t, 3, apierror.ReasonUnsupportedEncoding)
	d.log.await(t, 2, `"code":"RESOURCE_EXHAUSTED"`)
}
