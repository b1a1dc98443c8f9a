package server_test

import (
	"encoding/binary"
	"io"
	"strings"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/config"
	"github.com/digate/digate/server/contract"
	"github.com/digate/digate/server/exchange"
)

// openAndLeave opens streams on a connection and sends nothing on them. One of them
// must end: for want of a place, unless its method needs no credential.
func openAndLeave(t *testing.T, d *digate, streams int, method string, extra ...hpack.HeaderField) {
	t.Helper()
	f := dialRaw(t, d.GRPCAddr())
	for i := range streams {
		f.open(uint32(2*i+1), method, false, extra...)
	}
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		if h, ok := frame.(*http2.MetaHeadersFrame); ok && h.StreamEnded() {
			if contract.Open(method) {
				return // the oldest ended
			}
			if e := f.verdictOf(h); e.Reason != apierror.ReasonTooManyStreams || e.Outcome != exchange.NotSent {
				t.Errorf("%s: refused with %v", method, e)
			}
			return
		}
	}
}

func TestStrangers_StreamsThatAreOpenedAndLeft_LeaveRoomForOthers(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	up.will(respond(201, nil, full))
	d := start(t, up.url(), func(c *config.Config) { c.MaxWaitingStreams, c.OpenReflection = 512, true })
	if _, e := d.copyRPC(t, &integrationv1.CopyTemplateRequest{TemplateId: templateID}); e != nil {
		t.Fatal(e)
	}
	madeUp := hpack.HeaderField{Name: "authorization", Value: "Bearer made-up"}
	for _, method := range []string{
		reflectionv1.ServerReflection_ServerReflectionInfo_FullMethodName,
		healthv1.Health_Check_FullMethodName,
		healthv1.Health_Watch_FullMethodName,
		copyTemplate,
		integrationv1.IntegrationService_BulkCopyTemplate_FullMethodName,
	} {
		for range 3 {
			openAndLeave(t, d, 100, method, madeUp)
		}
	}
	// Whoever asks for the server's health, and whoever lists its methods, is served.
	if _, err := healthv1.NewHealthClient(d.conn).Check(t.Context(), new(healthv1.HealthCheckRequest)); err != nil {
		t.Errorf("a health check: %v", err)
	}
	list, err := reflectionv1.NewServerReflectionClient(d.conn).ServerReflectionInfo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_ = list.Send(&reflectionv1.ServerReflectionRequest{MessageRequest: &reflectionv1.ServerReflectionRequest_ListServices{}})
	if _, err := list.Recv(); err != nil {
		t.Errorf("reflection: %v", err)
	}
	// A call of somebody whom Diga knows, from the same address.
	if _, e := d.copyRPC(t, &integrationv1.CopyTemplateRequest{TemplateId: templateID}); e != nil {
		t.Errorf("a known caller: %v", e)
	}
}

// resetCalls opens calls and resets each at once, and returns how many it could.
func resetCalls(t *testing.T, d *digate, n int) (reset int) {
	t.Helper()
	f := dialRaw(t, d.GRPCAddr())
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		_, _ = io.Copy(io.Discard, f.conn)
	}()
	defer func() { _ = f.conn.Close(); <-drained }()
	for i := range n {
		select {
		case <-drained: // the server closed the connection
			return i
		default:
		}
		if f.tryOpen(uint32(2*i+1), copyTemplate, false) != nil || f.WriteRSTStream(uint32(2*i+1), http2.ErrCodeCancel) != nil {
			return i
		}
	}
	return n
}

func TestStrangers_ConnectionThatResetsItsCalls_IsClosed(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	up.will(respond(201, nil, full))
	d := start(t, up.url())
	if n := resetCalls(t, d, 1_000_000); n == 1_000_000 {
		t.Errorf("%d calls could be reset", n)
	}
	d.log.await(t, 1, `it reset far more calls than it let finish`)
	d.awaitMetric(t, "digate_resets_closed_total 1")
	if _, e := d.copyRPC(t, &integrationv1.CopyTemplateRequest{TemplateId: templateID}); e != nil {
		t.Errorf("another caller: %v", e)
	}
}

// Calls that their caller cancels, once for each that finishes, are no attack.
func TestStrangers_ConnectionThatFinishesAsManyAsItResets_IsKept(t *testing.T) {
	t.Parallel()
	d := start(t, newScripted(t).url())
	f := dialRaw(t, d.GRPCAddr())
	for i := range uint32(1500) {
		f.open(4*i+1, healthv1.Health_Watch_FullMethodName, false)
		if err := f.WriteRSTStream(4*i+1, http2.ErrCodeCancel); err != nil {
			t.Fatal(err)
		}
		f.request(4*i+3, "/no.Such/Method", nil)
		if e := f.verdict(4*i + 3); e.Reason != apierror.ReasonUnknownMethod {
			t.Fatal(e)
		}
	}
}

// Every call has a line as long as there are few, or once Diga accepted its caller:
// here, in a copy of a bulk stream.
func TestStrangers_MadeUpTokens_DoNotFillTheLog(t *testing.T) {
	t.Parallel()
	const unauthorized = `{"error_code":"UNAUTHORIZED","detail":"no such token"}`
	refuse := func(times int) func(*testing.T, *digate) {
		return func(t *testing.T, d *digate) {
			for range times / 2 {
				if _, e := d.copyRPC(t, &integrationv1.CopyTemplateRequest{TemplateId: templateID}); e == nil || e.Outcome != exchange.Rejected {
					t.Fatalf("over gRPC: %v", e)
				}
				if got := d.copyREST(t, templateID, "{}"); got.status != 401 {
					t.Fatalf("over REST: %v", got)
				}
			}
		}
	}
	up := newScripted(t)
	d := start(t, up.url())
	up.will(respond(401, nil, unauthorized))
	for !strings.Contains(d.log.String(), "calls by strangers were left out of the log") {
		refuse(100)(t, d)
	}
	up.will(respond(201, nil, full))
	many := d.bulk(t.Context(), t)
	if err := many.Send(item(templateID, "a-copy")); err != nil {
		t.Fatal(err)
	}
	_ = many.CloseSend()
	if results, _, err := drain(many); err != nil || len(results) != 1 || results[0].GetError() != nil {
		t.Fatal(results, err)
	}
	up.will(respond(401, nil, unauthorized))
	before := strings.Count(d.log.String(), `"outcome":"REJECTED"`)
	refuse(100)(t, d)
	d.log.await(t, before+100, `"outcome":"REJECTED"`)
}

// What has arrived of large messages is bounded, for as long as nobody is known on the
// connection.
func TestStrangers_ConnectionThatHoldsBackTheEndOfMuch_IsClosed(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	up.will(respond(201, nil, full))
	d := start(t, up.url(), func(c *config.Config) {
		c.MaxDecodedBytes, c.MaxRequestBytes = 1<<20, 64<<10 // a quarter of it may arrive, or four messages
	})
	if _, e := d.copyRPC(t, &integrationv1.CopyTemplateRequest{TemplateId: templateID}); e != nil {
		t.Fatal(e)
	}
	stranger := hpack.HeaderField{Name: "authorization", Value: "Bearer made-up"}
	const part, size = 50 << 10, 60 << 10
	begin := func(f *rawClient, stream uint32, extra ...hpack.HeaderField) {
		if f.tryOpen(stream, copyTemplate, false, extra...) != nil {
			return // it is closed
		}
		message := append(binary.BigEndian.AppendUint32([]byte{0}, size), make([]byte, part)...)
		for len(message) > 0 {
			n := min(len(message), 16<<10)
			if f.WriteData(stream, false, message[:n]) != nil {
				return
			}
			message = message[n:]
		}
	}
	end := func(f *rawClient, stream uint32) {
		if err := f.WriteData(stream, true, make([]byte, size-part)); err != nil {
			t.Fatal(err)
		}
		if e := f.verdict(stream); e.Reason != apierror.ReasonInvalidRequest { // its message is no protobuf
			t.Error(e)
		}
	}
	known, modest, hoarder := dialRaw(t, d.GRPCAddr()), dialRaw(t, d.GRPCAddr()), dialRaw(t, d.GRPCAddr())
	begin(modest, 1, stranger)
	for n := range uint32(8) {
		begin(known, 2*n+1)
		begin(hoarder, 2*n+1, stranger)
	}
	d.log.await(t, 1, "it sent much of messages or headers without their end")
	for {
		if _, err := hoarder.ReadFrame(); err != nil {
			break
		}
	}
	end(modest, 1)
	end(known, 1)
}
