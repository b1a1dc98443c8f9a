package server_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	statusv1 "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/test/await"
)

// rawClient is an HTTP/2 client that sends what no client library would.
type rawClient struct {
	*http2.Framer
	t       testing.TB
	conn    net.Conn
	header  bytes.Buffer
	encoder *hpack.Encoder
}

// dialRaw opens a connection and completes its preface.
func dialRaw(t testing.TB, addr net.Addr) *rawClient {
	t.Helper()
	f := &rawClient{t: t, conn: connect(t, addr)}
	f.encoder = hpack.NewEncoder(&f.header)
	if _, err := f.conn.Write([]byte(http2.ClientPreface)); err != nil {
		t.Fatal(err)
	}
	f.setDeadline()
	f.Framer = http2.NewFramer(f.conn, f.conn)
	f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	if err := f.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	return f
}

// setDeadline bounds how long the connection may take for what comes next: a test
// that has many calls does not fail for being slow.
func (f *rawClient) setDeadline() {
	f.t.Helper()
	if err := f.conn.SetDeadline(time.Now().Add(await.Patience)); err != nil {
		f.t.Fatal(err)
	}
}

// open sends the header of a call. Extra fields take the place of those of the
// same name.
func (f *rawClient) open(stream uint32, method string, end bool, extra ...hpack.HeaderField) {
	f.t.Helper()
	f.setDeadline()
	if err := f.tryOpen(stream, method, end, extra...); err != nil {
		f.t.Fatal(err)
	}
}

// tryOpen is open, and returns the error of the connection.
func (f *rawClient) tryOpen(stream uint32, method string, end bool, extra ...hpack.HeaderField) error {
	fields := []hpack.HeaderField{
		{Name: ":method", Value: "POST"}, {Name: ":scheme", Value: "http"}, {Name: ":path", Value: method}, {Name: ":authority", Value: "digate"},
		{Name: "content-type", Value: "application/grpc"}, {Name: "te", Value: "trailers"}, {Name: "authorization", Value: "Bearer " + token},
	}
	f.header.Reset()
	for _, field := range fields {
		for _, e := range extra {
			if e.Name == field.Name {
				field.Value = ""
			}
		}
		if field.Value != "" {
			_ = f.encoder.WriteField(field)
		}
	}
	for _, e := range extra {
		_ = f.encoder.WriteField(e)
	}
	return f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: f.header.Bytes(), EndHeaders: true, EndStream: end})
}

// request sends a unary call.
func (f *rawClient) request(stream uint32, method string, message []byte, extra ...hpack.HeaderField) {
	f.t.Helper()
	f.open(stream, method, false, extra...)
	data := append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))), message...)
	if err := f.WriteData(stream, true, data); err != nil {
		f.t.Fatal(err)
	}
}

// verdict reads until the end of the stream and returns its error, which must have
// an ErrorInfo.
func (f *rawClient) verdict(stream uint32) *apierror.Error {
	f.t.Helper()
	return f.verdictOf(f.end(stream))
}

// end reads until the end of the stream and returns its last header.
func (f *rawClient) end(stream uint32) *http2.MetaHeadersFrame {
	f.t.Helper()
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			f.t.Fatal(err)
		}
		switch frame := frame.(type) {
		case *http2.MetaHeadersFrame:
			if frame.StreamID == stream && frame.StreamEnded() {
				return frame
			}
		case *http2.RSTStreamFrame:
			if frame.StreamID == stream {
				f.t.Fatalf("stream %d was reset: %v", stream, frame.ErrCode)
			}
		}
	}
}

// verdictOf returns the error in a stream's last header, which must have an
// ErrorInfo.
func (f *rawClient) verdictOf(frame *http2.MetaHeadersFrame) *apierror.Error {
	f.t.Helper()
	fields := make(map[string]string)
	for _, field := range frame.Fields {
		fields[field.Name] = field.Value
	}
	code, err := strconv.ParseInt(fields["grpc-status"], 10, 32)
	if err != nil {
		f.t.Fatalf("no status: %v", fields)
	}
	s := &statusv1.Status{Code: int32(code), Message: fields["grpc-message"]}
	if details := fields["grpc-status-details-bin"]; details != "" {
		b, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(details, "="))
		if err != nil {
			f.t.Fatal(err)
		}
		if err := proto.Unmarshal(b, s); err != nil {
			f.t.Fatal(err)
		}
		if s.GetCode() != int32(code) {
			f.t.Errorf("the details are of %v, the status is %v", codes.Code(s.GetCode()), codes.Code(code))
		}
	}
	return verdict(f.t, status.FromProto(s).Err())
}

// headerOf reads until the first header of the stream and returns it. The rest of
// the stream is read later.
func (f *rawClient) headerOf(stream uint32) map[string]string {
	f.t.Helper()
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			f.t.Fatal(err)
		}
		if frame, ok := frame.(*http2.MetaHeadersFrame); ok && frame.StreamID == stream {
			fields := make(map[string]string)
			for _, field := range frame.Fields {
				fields[field.Name] = field.Value
			}
			return fields
		}
	}
}
