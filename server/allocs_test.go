//go:build !race

package server_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/protobuf/proto"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server"
	"github.com/digate/digate/server/telemetry"
	"github.com/digate/digate/test/rig"
)

// protocols are the two ways to make a copy.
var protocols = []struct {
	name   string
	caller func(tb testing.TB, s *server.Server) (call func())
	// bound is how many allocations a copy takes today. Those of gRPC and net/http are
	// more than half.
	bound float64
}{
	{"grpc", newGRPCCaller, 184},
	{"rest", newRESTCaller, 145},
}

// A copy without a request id, from the caller's first byte to the last byte of the
// response, with its log line.
func TestAllocations_CopyTemplate_AreBounded(t *testing.T) {
	s := serveQuietly(t)
	for _, p := range protocols {
		call := p.caller(t, s)
		if got := testing.AllocsPerRun(1000, call); got > p.bound {
			t.Errorf("%s: %v allocations, want %v at most", p.name, got, p.bound)
		}
	}
}

// BenchmarkCopyTemplate is the same copy. Its caller and its upstream write bytes that
// they made before, and allocate nothing: what is counted is digate's.
func BenchmarkCopyTemplate(b *testing.B) {
	s := serveQuietly(b)
	for _, p := range protocols {
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
func serveQuietly(tb testing.TB) *server.Server {
	tb.Helper()
	cfg := settings(tb, rig.ServeQuick(tb))
	asShipped(&cfg)
	log := telemetry.OpenLog(io.Discard, slog.LevelInfo)
	tb.Cleanup(log.Close)
	s, err := server.New(tb.Context(), cfg, server.Options{Version: "test", Log: log.Logger})
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

// newRESTCaller returns a function that makes a copy over a connection of HTTP/1.1.
func newRESTCaller(tb testing.TB, s *server.Server) (call func()) {
	tb.Helper()
	const body = `{"name":"CRM","api_key":"` + apiKey + `","base_url":"https://crm.example.com/api"}`
	request := []byte("POST /v1/integration/template/" + templateID + "/copy HTTP/1.1\r\nHost: digate\r\nAuthorization: Bearer " + token +
		"\r\nContent-Type: application/json\r\nUser-Agent: test\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body)
	c := connect(tb, s.HTTPAddr())
	response := make([]byte, 64<<10)
	return func() {
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
		if !bytes.HasPrefix(response, []byte("HTTP/1.1 201 ")) {
			tb.Fatalf("%s", response[:n])
		}
	}
}

// newGRPCCaller returns a function that makes a copy over a connection of gRPC.
func newGRPCCaller(tb testing.TB, s *server.Server) (call func()) {
	tb.Helper()
	message, err := proto.Marshal(&integrationv1.CopyTemplateRequest{
		TemplateId: templateID, Name: new("CRM"), ApiKey: new(apiKey), BaseUrl: new("https://crm.example.com/api"),
	})
	if err != nil {
		tb.Fatal(err)
	}
	var header, request bytes.Buffer
	encoder := hpack.NewEncoder(&header)
	for _, f := range [][2]string{
		{":method", "POST"}, {":scheme", "http"}, {":path", integrationv1.IntegrationService_CopyTemplate_FullMethodName},
		{":authority", "digate"}, {"content-type", "application/grpc"}, {"te", "trailers"}, {"user-agent", "test"},
		{"grpc-accept-encoding", "gzip"}, {"grpc-timeout", "20S"}, {"authorization", "Bearer " + token},
	} {
		// Never indexed, so that the bytes of every request are the same.
		_ = encoder.WriteField(hpack.HeaderField{Name: f[0], Value: f[1], Sensitive: true})
	}
	framer := http2.NewFramer(&request, nil)
	_ = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: header.Bytes(), EndHeaders: true})
	data := request.Len()
	_ = framer.WriteData(1, true, slices.Concat(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))), message))

	f := dialRaw(tb, s.GRPCAddr())
	if f.conn.SetDeadline(time.Time{}) != nil || f.WriteWindowUpdate(0, 1<<30) != nil {
		tb.Fatal("the connection is gone")
	}
	frames, stream, frame := request.Bytes(), uint32(1), make([]byte, 64<<10)
	return func() {
		binary.BigEndian.PutUint32(frames[5:], stream)
		binary.BigEndian.PutUint32(frames[data+5:], stream)
		stream += 2
		if _, err := f.conn.Write(frames); err != nil {
			tb.Fatal(err)
		}
		var kind http2.FrameType
		var flags http2.Flags
		for kind != http2.FrameHeaders || !flags.Has(http2.FlagHeadersEndStream) {
			if _, err := io.ReadFull(f.conn, frame[:9]); err != nil {
				tb.Fatal(err)
			}
			kind, flags = http2.FrameType(frame[3]), http2.Flags(frame[4])
			length := binary.BigEndian.Uint32(frame) >> 8
			if _, err := io.ReadFull(f.conn, frame[:length]); err != nil {
				tb.Fatal(err)
			}
		}
	}
}
