package server_test

import (
	"bytes"
	"net"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	digatev1 "github.com/digate/digate/gen/digate/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/config"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/test/await"
)

// bytesCodec sends and receives messages as they are.
type bytesCodec struct{}

func (bytesCodec) Marshal(v any) ([]byte, error)      { return v.([]byte), nil }
func (bytesCodec) Unmarshal(data []byte, v any) error { *v.(*[]byte) = data; return nil }
func (bytesCodec) Name() string                       { return "proto" }

// invoke calls a unary method with these bytes as the message and returns the
// error's verdict, nil where it has none.
func (d *digate) invoke(t *testing.T, method string, message []byte, o ...grpc.CallOption) *apierror.Error {
	t.Helper()
	var response []byte
	err := d.conn.Invoke(withToken(t.Context(), token), method, message, &response, append(o, grpc.ForceCodec(bytesCodec{}))...)
	return verdict(t, err)
}

// verdict returns the error of a call, which must have an ErrorInfo.
func verdict(t testing.TB, err error) *apierror.Error {
	t.Helper()
	if len(status.Convert(err).Details()) == 0 {
		t.Errorf("no verdict: %v", err)
		return apierror.FromError(err)
	}
	return apierror.FromError(err)
}

const copyTemplate = integrationv1.IntegrationService_CopyTemplate_FullMethodName

// What gRPC would refuse by itself has a verdict, a log line and a metric.
func TestGRPC_MessageThatCannotBeReceived_HasAVerdictALineAndAMetric(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	d := start(t, up.url(), func(c *config.Config) { c.MaxRequestBytes = 64 << 10 })
	named := func(name string) []byte {
		b, err := proto.Marshal(&integrationv1.CopyTemplateRequest{TemplateId: templateID, Name: new(name)})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for name, c := range map[string]struct {
		message []byte
		code    codes.Code
		reason  string
	}{
		"a byte too large": {named(strings.Repeat("a", 64<<10)), codes.ResourceExhausted, apierror.ReasonRequestTooLarge},
		"three times":      {named(strings.Repeat("a", 192<<10)), codes.ResourceExhausted, apierror.ReasonRequestTooLarge},
		"sixteen times":    {named(strings.Repeat("a", 1<<20)), codes.ResourceExhausted, apierror.ReasonRequestTooLarge},
		"no protobuf":      {[]byte("{\"name\":\"x\"}"), codes.InvalidArgument, apierror.ReasonInvalidRequest},
		"cut off":          {named("abc")[:5], codes.InvalidArgument, apierror.ReasonInvalidRequest},
		"no UTF-8":         {bytes.Replace(named("abc"), []byte("abc"), []byte("a\xff\xfe"), 1), codes.InvalidArgument, apierror.ReasonInvalidRequest},
	} {
		before := len(strings.Split(d.log.String(), `"msg":"call"`))
		e := d.invoke(t, copyTemplate, c.message)
		if e.Code != c.code || e.Reason != c.reason || e.Outcome != exchange.NotSent {
			t.Errorf("%s: %v", name, e)
		}
		d.log.await(t, before, `"msg":"call"`)
	}
	metrics := d.scrape(t)
	for _, want := range []string{
		`digate_calls_total{code="RESOURCE_EXHAUSTED",method="` + copyTemplate[1:] + `",outcome="NOT_SENT",protocol="grpc"} 3`,
		`digate_calls_total{code="INVALID_ARGUMENT",method="` + copyTemplate[1:] + `",outcome="NOT_SENT",protocol="grpc"} 3`,
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
	up.none(t)
}

func TestGRPC_MessageOfAStreamThatCannotBeReceived_HasAVerdict(t *testing.T) {
	t.Parallel()
	d := start(t, newScripted(t).url(), func(c *config.Config) { c.MaxRequestBytes = 64 << 10 })
	for name, c := range map[string]struct {
		message []byte
		reason  string
	}{
		"too large":     {make([]byte, 100<<10), apierror.ReasonRequestTooLarge},
		"far too large": {make([]byte, 10<<20), apierror.ReasonRequestTooLarge},
		"no protobuf":   {[]byte("{}"), apierror.ReasonInvalidRequest},
	} {
		stream, err := d.conn.NewStream(withToken(t.Context(), token), &grpc.StreamDesc{ClientStreams: true, ServerStreams: true},
			integrationv1.IntegrationService_BulkCopyTemplate_FullMethodName, grpc.ForceCodec(bytesCodec{}))
		if err != nil {
			t.Fatal(err)
		}
		_ = stream.SendMsg(c.message)
		var response []byte
		if e := verdict(t, stream.RecvMsg(&response)); e.Reason != c.reason || e.Outcome != exchange.NotSent {
			t.Errorf("%s: %v", name, e)
		}
	}
}

// Such a call is refused by its handler and not before it.
func TestGRPC_RefusedCallWithALaterDeadline_HasTheSameVerdictAndALine(t *testing.T) {
	t.Parallel()
	d := start(t, newScripted(t).url())
	for i, method := range []string{copyTemplate, integrationv1.IntegrationService_BulkCopyTemplate_FullMethodName, "/no.Such/Service"} {
		f := dialRaw(t, d.GRPCAddr())
		for n, timeout := range []string{"100m", "1H"} {
			stream := uint32(2*n + 1)
			f.open(stream, method, true, hpack.HeaderField{Name: "authorization", Value: "no token"}, hpack.HeaderField{Name: "grpc-timeout", Value: timeout})
			if e := f.verdict(stream); e.Reason != apierror.ReasonMissingCredential || e.Outcome != exchange.NotSent {
				t.Errorf("%s: %v", method, e)
			}
		}
		d.log.await(t, 2*(i+1), `"reason":"MISSING_CREDENTIAL"`)
	}
}

func TestGRPC_UnknownMethodOrService_HasAVerdictAndALine(t *testing.T) {
	t.Parallel()
	d := start(t, newScripted(t).url())
	for i, method := range []string{"/diga.integration.v1.IntegrationService/Nothing", "/no.Such/Service", "noslash", "/noslash"} {
		if e := d.invoke(t, method, nil); e.Code != codes.Unimplemented || e.Reason != apierror.ReasonUnknownMethod || e.Outcome != exchange.NotSent {
			t.Errorf("%s: %v", method, e)
		}
		d.log.await(t, i+1, `"reason":"UNKNOWN_METHOD"`)
	}
}

func TestGRPC_DeadlineThatIsOver_HasAVerdictAndALine(t *testing.T) {
	t.Parallel()
	d := start(t, newScripted(t).url())
	f := dialRaw(t, d.GRPCAddr())
	f.request(1, copyTemplate, nil, hpack.HeaderField{Name: "grpc-timeout", Value: "0n"})
	if e := f.verdict(1); e.Code != codes.DeadlineExceeded || e.Reason != apierror.ReasonDeadlineBeforeSend || e.Outcome != exchange.NotSent {
		t.Errorf("got %v", e)
	}
	d.log.await(t, 1, `"reason":"DEADLINE_BEFORE_SEND"`)
}

// Metadata that is too large ends its call and no other call of the connection.
func TestGRPC_MetadataTooLarge_EndsTheCallAlone(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	up := newScripted(t)
	d := start(t, up.url())
	up.will(func(c net.Conn, s sent) bool { <-release; return respond(201, nil, full)(c, s) })
	neighbour := make(chan error, 1)
	go func() {
		_, err := d.rpc.CopyTemplate(withToken(t.Context(), token), &integrationv1.CopyTemplateRequest{TemplateId: templateID})
		neighbour <- err
	}()
	for i, size := range []int{33 << 10, 40 << 10, 64 << 10, 100 << 10, 512 << 10} {
		for name, values := range map[string]int{"one value": 1, "many values": size / 100} {
			ctx := withToken(t.Context(), token)
			for range values {
				ctx = metadata.AppendToOutgoingContext(ctx, "x-large", strings.Repeat("~", size/values))
			}
			_, err := d.rpc.CopyTemplate(ctx, &integrationv1.CopyTemplateRequest{TemplateId: templateID})
			if e := verdict(t, err); e.Code != codes.ResourceExhausted || e.Reason != apierror.ReasonRequestTooLarge || e.Outcome != exchange.NotSent {
				t.Errorf("%d bytes, %s: %v", size, name, e)
			}
		}
		d.log.await(t, 2*i+2, `"reason":"REQUEST_TOO_LARGE"`)
	}
	close(release)
	if err := <-neighbour; err != nil {
		t.Errorf("the neighbour: %v", err)
	}
}

// emptyValues returns a CopyTemplateRequest whose variables hold a list of n values
// of 2 bytes each.
func emptyValues(t *testing.T, n int) []byte {
	t.Helper()
	field := func(number protowire.Number, b []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), b)
	}
	list := field(2, field(6, bytes.Repeat(field(1, nil), n))) // the value of an entry
	b, err := proto.Marshal(&integrationv1.CopyTemplateRequest{TemplateId: templateID})
	if err != nil {
		t.Fatal(err)
	}
	return append(b, field(5, field(1, append(field(1, []byte("a")), list...)))...)
}

// A message of many small values would take fifty times its memory when decoded.
func TestGRPC_MoreValuesThanJSONMayHold_AreRefusedInItsWordsBeforeTheyAreDecoded(t *testing.T) {
	up := newScripted(t)
	d := start(t, up.url())
	bomb := emptyValues(t, 2<<20-100)
	allocated := func() uint64 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.TotalAlloc
	}
	d.invoke(t, copyTemplate, bomb)
	before := allocated()
	e := d.invoke(t, copyTemplate, bomb)
	if grown := allocated() - before; grown > 64<<20 {
		t.Errorf("%d bytes were allocated for a message of %d", grown, len(bomb))
	}
	rest := d.copyREST(t, templateID, `{"variables":{"a":[`+strings.Repeat("0,", 100_000)+`0]}}`)
	if e.Code != codes.InvalidArgument || len(e.Violations) != 1 || e.Violations[0].Field != "variables.a[99999]" || e.Outcome != exchange.NotSent {
		t.Errorf("got %v %+v", e, e.Violations)
	}
	if rest.status != 422 || len(e.Violations) == 1 && !strings.Contains(rest.body, e.Violations[0].Description) {
		t.Errorf("REST: %d %s, gRPC: %+v", rest.status, rest.body, e.Violations)
	}
	if got := up.received(); len(got) != 0 {
		t.Errorf("Diga received %d requests", len(got))
	}
}

func TestGRPC_RequestsBeyondTheMemory_AreRefusedUntilOthersEnd(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	d := start(t, up.url(), func(c *config.Config) { c.MaxDecodedBytes = 1 << 20 })
	began, release := make(chan struct{}), make(chan struct{})
	up.will(func(c net.Conn, s sent) bool { close(began); <-release; return respond(201, nil, full)(c, s) })
	large := &integrationv1.CopyTemplateRequest{TemplateId: templateID, Name: new(strings.Repeat("a", 300<<10))}
	first := make(chan *apierror.Error, 1)
	go func() { _, e := d.copyCtx(withToken(t.Context(), token), large); first <- e }()
	await.Value(t, began, "the first call")
	_, e := d.copyRPC(t, large)
	if e == nil || e.Reason != apierror.ReasonOverloaded || e.Outcome != exchange.NotSent || e.RetryAfter == nil {
		t.Errorf("beyond the memory: %v", e)
	}
	up.will(respond(201, nil, full))
	if _, e := d.copyRPC(t, &integrationv1.CopyTemplateRequest{TemplateId: templateID}); e != nil {
		t.Errorf("a small call: %v", e)
	}
	close(release)
	if e := await.Value(t, first, "the end of the first call"); e != nil {
		t.Errorf("the first call: %v", e)
	}
	d.log.await(t, 3, `"msg":"call"`)
	if _, e := d.copyRPC(t, large); e != nil {
		t.Errorf("after the first call: %v", e)
	}
}

// A question without a credential is not sent either, but NOT_SENT would be read as
// the fate of the copy that it is about.
func TestLedgerService_NoCredential_ConcludesNothing(t *testing.T) {
	d := start(t, newScripted(t).url())
	_, err := digatev1.NewLedgerServiceClient(d.conn).GetCopy(t.Context(), &digatev1.GetCopyRequest{RequestId: "a"})
	if e := apierror.FromError(err); e == nil || e.Code != codes.Unauthenticated || e.Outcome != exchange.NotApplicable {
		t.Errorf("%v", err)
	}
	d.log.await(t, 1, `"code":"UNAUTHENTICATED","outcome":"NOT_APPLICABLE"`)
}

// What gRPC says of a content type is HTTP's 415: no client of gRPC reads it.
func TestGRPC_MalformedHeader_HasAVerdictALineAndAMetric(t *testing.T) {
	t.Parallel()
	d := start(t, newScripted(t).url())
	for i, field := range []hpack.HeaderField{
		{Name: "grpc-timeout", Value: "1.5 seconds"}, {Name: "x-bin", Value: "!"}, {Name: "content-type", Value: "application/json"},
	} {
		f := dialRaw(t, d.GRPCAddr())
		f.open(1, copyTemplate, true, field)
		if field.Name != "content-type" {
			if e := f.verdict(1); e.Code != codes.Internal || e.Reason != apierror.ReasonInvalidRequest || e.Outcome != exchange.NotSent {
				t.Errorf("%s: %v", field.Name, e)
			}
		}
		d.log.await(t, i+1, `"cause":"the header of the call is malformed"`)
	}
	if want := `digate_calls_total{code="INTERNAL",method="other",outcome="NOT_APPLICABLE",protocol="grpc"} 3`; !strings.Contains(d.scrape(t), want) {
		t.Errorf("the metrics lack %s", want)
	}
	// Calls that fail and calls that succeed are none of these.
	f := dialRaw(t, d.GRPCAddr())
	for i := range uint32(5) {
		f.request(4*i+1, "/no.Such/Method", nil)
		f.verdict(4*i + 1)
		f.request(4*i+3, healthv1.Health_Check_FullMethodName, nil)
		f.end(4*i + 3)
	}
	if n := strings.Count(d.log.String(), "the header of the call is malformed"); n != 3 {
		t.Errorf("%d lines", n)
	}
}

// gRPC refuses an encoding of which it does not know the name by itself.
func TestGRPC_EncodingOfWhichNothingIsKnown_HasAVerdictALineAndAMetric(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	d := start(t, up.url())
	f := dialRaw(t, d.GRPCAddr())
	stream := uint32(1)
	lines := 0
	for _, name := range []string{"own", "own", "\"\xff\"", "own", strings.Repeat("long", 500)} {
		for _, method := range []string{copyTemplate, integrationv1.IntegrationService_BulkCopyTemplate_FullMethodName} {
			f.request(stream, method, nil, hpack.HeaderField{Name: "grpc-encoding", Value: name})
			if e := f.verdict(stream); e.Code != codes.Unimplemented || e.Reason != apierror.ReasonUnsupportedEncoding || e.Outcome != exchange.NotSent {
				t.Errorf("%.20q: %v", name, e)
			}
			// The header of the connection's other calls is read as before.
			f.request(stream+2, "/no.Such/Method", nil)
			if e := f.verdict(stream + 2); e.Reason != apierror.ReasonUnknownMethod {
				t.Errorf("after %.20q: %v", name, e)
			}
			stream += 4
			lines++
			d.log.await(t, lines, `"reason":"UNSUPPORTED_ENCODING"`)
		}
	}
	if want := `digate_calls_total{code="UNIMPLEMENTED",method="other",outcome="NOT_APPLICABLE",protocol="grpc"} 10`; !strings.Contains(d.scrape(t), want) {
		t.Errorf("the metrics lack %s", want)
	}
	f.request(stream, digatev1.LedgerService_GetCopy_FullMethodName, nil, hpack.HeaderField{Name: "grpc-encoding", Value: "own"})
	if e := f.verdict(stream); e.Code != codes.Unimplemented || e.Outcome != exchange.NotApplicable {
		t.Errorf("about a copy: %v", e)
	}
	up.none(t)
}
