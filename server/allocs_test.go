//go:build !race

package server_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server"
	"github.com/digate/digate/server/config"
	"github.com/digate/digate/server/telemetry"
	"github.com/digate/digate/test/rig"
)

// rawCallers make one kind of call each, over one of the two protocols. Those without
// more in their name make a copy with a few fields.
var rawCallers = []struct {
	name   string
	caller func(tb testing.TB, s *server.Server) (call func())
	// bound is how many allocations a call takes today. Those of gRPC and net/http are
	// more than half.
	bound float64
}{
	{"grpc", newGRPCCaller, 140},
	{"rest", newRESTCaller, 109},
	{"grpc/variables", newGRPCCallerWithVariables, 143},
	{"rest/variables", newRESTCallerWithVariables, 110},
	{"grpc/request_id", newGRPCCallerWithID, 153},
	{"rest/request_id", newRESTCallerWithID, 124},
	{"grpc/bulk_item", newBulkCaller, 81},
	{"grpc/get", newGRPCReader, 133},
	{"rest/get", newRESTReader, 108},
}

// A call from the caller's first byte to the last byte of the response, with its log
// line.
func TestAllocations_WholeCall_AreBounded(t *testing.T) {
	s := serveQuietly(t)
	for _, p := range rawCallers {
		call := p.caller(t, s)
		if got := testing.AllocsPerRun(1000, call); got > p.bound {
			t.Errorf("%s: %v allocations, want %v at most", p.name, got, p.bound)
		}
	}
}

// BenchmarkCall is the same call. Its caller and its upstream write bytes that they
// made before, and allocate nothing: what is counted is digate's.
func BenchmarkCall(b *testing.B) {
	benchmarkCall(b)
}

// BenchmarkCall_Audited is the same call with an audit log.
func BenchmarkCall_Audited(b *testing.B) {
	benchmarkCall(b, auditTo(filepath.Join(b.TempDir(), "audit.log"), false))
}

// BenchmarkCall_AuditRequired is the same call, which is not sent without its line.
func BenchmarkCall_AuditRequired(b *testing.B) {
	benchmarkCall(b, auditTo(filepath.Join(b.TempDir(), "audit.log"), true))
}

func benchmarkCall(b *testing.B, change ...func(*config.Config)) {
	b.Helper()
	s := serveQuietly(b, change...)
	for _, p := range rawCallers {
		call := p.caller(b, s)
		call() // connects to the upstream
		b.Run(p.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				call()
			}
		})
	}
}

// serveQuietly runs a server as it is shipped, in front of a quick upstream. Its log goes
// nowhere.
func serveQuietly(tb testing.TB, change ...func(*config.Config)) *server.Server {
	tb.Helper()
	return serveQuietlyWith(tb, nil, change...)
}

// serveQuietlyWith is serveQuietly with variables of OpenTelemetry.
func serveQuietlyWith(tb testing.TB, getenv func(string) string, change ...func(*config.Config)) *server.Server {
	tb.Helper()
	cfg := settings(tb, rig.ServeQuick(tb))
	for _, f := range append(change, asShipped) {
		f(&cfg)
	}
	log := telemetry.OpenLog(io.Discard, slog.LevelInfo)
	tb.Cleanup(log.Close)
	s, err := server.New(tb.Context(), cfg, server.Options{Version: "test", Log: log.Logger, Getenv: getenv})
	if err != nil {
		tb.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	tb.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			tb.Error(err)
		}
	})
	return s
}

const (
	copyBody = `{"name":"CRM","api_key":"` + apiKey + `","base_url":"https://crm.example.com/api"}`
	// number stands in a request for what is different in each.
	number = "000000000000"
)

func newRESTCaller(tb testing.TB, s *server.Server) (call func()) {
	return newRawRESTCaller(tb, s, "POST "+copyPath, "", copyBody)
}

func newRESTCallerWithVariables(tb testing.TB, s *server.Server) (call func()) {
	const variables = `,"variables":{"region":"eu-west-1","retries":3,"debug":true,"tags":["a","b"]}}`
	return newRawRESTCaller(tb, s, "POST "+copyPath, "", copyBody[:len(copyBody)-1]+variables)
}

func newRESTCallerWithID(tb testing.TB, s *server.Server) (call func()) {
	return newRawRESTCaller(tb, s, "POST "+copyPath, "Idempotency-Key: rest-"+number+"\r\n", copyBody)
}

func newRESTReader(tb testing.TB, s *server.Server) (call func()) {
	return newRawRESTCaller(tb, s, "GET /v1/integration/"+templateID, "", "")
}

func newGRPCCaller(tb testing.TB, s *server.Server) (call func()) {
	return newRawGRPCCaller(tb, s, integrationv1.IntegrationService_CopyTemplate_FullMethodName, copyMessage())
}

func newGRPCCallerWithVariables(tb testing.TB, s *server.Server) (call func()) {
	tb.Helper()
	m := copyMessage()
	var err error
	if m.Variables, err = structpb.NewStruct(map[string]any{
		"region": "eu-west-1", "retries": 3, "debug": true, "tags": []any{"a", "b"},
	}); err != nil {
		tb.Fatal(err)
	}
	return newRawGRPCCaller(tb, s, integrationv1.IntegrationService_CopyTemplate_FullMethodName, m)
}

func newGRPCCallerWithID(tb testing.TB, s *server.Server) (call func()) {
	m := copyMessage()
	m.RequestId = "grpc-" + number
	return newRawGRPCCaller(tb, s, integrationv1.IntegrationService_CopyTemplate_FullMethodName, m)
}

func newGRPCReader(tb testing.TB, s *server.Server) (call func()) {
	return newRawGRPCCaller(tb, s, integrationv1.IntegrationService_GetIntegration_FullMethodName,
		&integrationv1.GetIntegrationRequest{IntegrationId: templateID})
}

func copyMessage() *integrationv1.CopyTemplateRequest {
	return &integrationv1.CopyTemplateRequest{
		TemplateId: templateID, Name: new("CRM"), ApiKey: new(apiKey), BaseUrl: new("https://crm.example.com/api"),
	}
}

// count returns a function that counts the number in a request up, if there is one.
func count(request []byte) (next func()) {
	at := bytes.Index(request, []byte(number))
	if at < 0 {
		return func() {}
	}
	digits := request[at : at+len(number)]
	return func() {
		for i := len(digits) - 1; ; i-- {
			if digits[i]++; digits[i] <= '9' {
				return
			}
			digits[i] = '0'
		}
	}
}

// newRawRESTCaller returns a function that makes a request over a connection of
// HTTP/1.1. More header lines are for its header.
func newRawRESTCaller(tb testing.TB, s *server.Server, line, more, body string) (call func()) {
	tb.Helper()
	if body != "" {
		more += "Content-Type: application/json\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n"
	}
	request := []byte(line + " HTTP/1.1\r\nHost: digate\r\nAuthorization: Bearer " + token + "\r\nUser-Agent: test\r\n" + more + "\r\n" + body)
	next := count(request)
	c := connect(tb, s.HTTPAddr())
	response := make([]byte, 64<<10)
	return func() {
		next()
		if _, err := c.Write(request); err != nil {
			tb.Fatal(err)
		}
		n := 0
		for n == 0 || response[n-1] != '}' { // the last byte of the body
			m, err := c.Read(response[n:])
			if err != nil {
				tb.Fatal(err)
			}
			n += m
		}
		if !bytes.HasPrefix(response, []byte("HTTP/1.1 20")) {
			tb.Fatalf("%s", response[:n])
		}
	}
}

// newBulkCaller returns a function that makes a copy as an item of a bulk stream, which is
// open until the test ends.
func newBulkCaller(tb testing.TB, s *server.Server) (call func()) {
	tb.Helper()
	m := copyMessage()
	m.RequestId = "bulk-" + number
	message, err := proto.Marshal(&integrationv1.BulkCopyTemplateRequest{Copy: m})
	if err != nil {
		tb.Fatal(err)
	}
	header, item := rawRequest(integrationv1.IntegrationService_BulkCopyTemplate_FullMethodName, "500S", message, false)
	f := dialRawForLong(tb, s)
	if _, err := f.conn.Write(header); err != nil || f.WriteWindowUpdate(1, 1<<30) != nil {
		tb.Fatal("the connection is gone")
	}
	next, frame := count(item), make([]byte, 64<<10)
	return func() {
		next()
		if _, err := f.conn.Write(item); err != nil {
			tb.Fatal(err)
		}
		for {
			kind, flags := readRaw(tb, f, frame)
			if kind == http2.FrameHeaders && flags.Has(http2.FlagHeadersEndStream) {
				tb.Fatal("the stream ended")
			}
			if kind == http2.FrameData {
				return
			}
		}
	}
}

// newRawGRPCCaller returns a function that makes a call over a connection of gRPC.
func newRawGRPCCaller(tb testing.TB, s *server.Server, method string, m proto.Message) (call func()) {
	tb.Helper()
	message, err := proto.Marshal(m)
	if err != nil {
		tb.Fatal(err)
	}
	header, item := rawRequest(method, "20S", message, true)
	frames, data := slices.Concat(header, item), len(header)
	f := dialRawForLong(tb, s)
	stream, frame := uint32(1), make([]byte, 64<<10)
	next := count(frames)
	return func() {
		next()
		binary.BigEndian.PutUint32(frames[5:], stream)
		binary.BigEndian.PutUint32(frames[data+5:], stream)
		stream += 2
		if _, err := f.conn.Write(frames); err != nil {
			tb.Fatal(err)
		}
		var kind http2.FrameType
		var flags http2.Flags
		responded := false // a failure has no message
		for kind != http2.FrameHeaders || !flags.Has(http2.FlagHeadersEndStream) {
			kind, flags = readRaw(tb, f, frame)
			responded = responded || kind == http2.FrameData
		}
		if !responded {
			tb.Fatalf("%s failed", method)
		}
	}
}

// rawRequest returns the frames of the first stream of a connection: those of a header,
// and that of a message, which may be the last.
func rawRequest(method, timeout string, message []byte, last bool) (header, item []byte) {
	var block, request bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for _, f := range [][2]string{
		{":method", "POST"}, {":scheme", "http"}, {":path", method},
		{":authority", "digate"}, {"content-type", "application/grpc"}, {"te", "trailers"}, {"user-agent", "test"},
		{"grpc-accept-encoding", "gzip"}, {"grpc-timeout", timeout}, {"authorization", "Bearer " + token},
	} {
		// Never indexed, so that the bytes of every request are the same.
		_ = encoder.WriteField(hpack.HeaderField{Name: f[0], Value: f[1], Sensitive: true})
	}
	framer := http2.NewFramer(&request, nil)
	_ = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true})
	n := request.Len()
	_ = framer.WriteData(1, last, slices.Concat(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))), message))
	return request.Bytes()[:n], request.Bytes()[n:]
}

// dialRawForLong returns a connection of gRPC that has no deadline and takes all that comes.
func dialRawForLong(tb testing.TB, s *server.Server) *rawClient {
	tb.Helper()
	f := dialRaw(tb, s.GRPCAddr())
	if f.conn.SetDeadline(time.Time{}) != nil || f.WriteWindowUpdate(0, 1<<30) != nil {
		tb.Fatal("the connection is gone")
	}
	return f
}

// readRaw reads a frame, which may have as many bytes as the buffer.
func readRaw(tb testing.TB, f *rawClient, buffer []byte) (http2.FrameType, http2.Flags) {
	if _, err := io.ReadFull(f.conn, buffer[:9]); err != nil {
		tb.Fatal(err)
	}
	kind, flags := http2.FrameType(buffer[3]), http2.Flags(buffer[4])
	length := binary.BigEndian.Uint32(buffer) >> 8
	if _, err := io.ReadFull(f.conn, buffer[:length]); err != nil {
		tb.Fatal(err)
	}
	return kind, flags
}
