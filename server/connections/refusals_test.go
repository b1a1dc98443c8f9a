package connections

import (
	"bytes"
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// written is what gRPC writes on one connection: frames whose headers share a state.
type written struct {
	bytes.Buffer
	block   bytes.Buffer
	encoder *hpack.Encoder
}

func newWritten() *written {
	w := new(written)
	w.encoder = hpack.NewEncoder(&w.block)
	return w
}

// response returns the frame of a whole response.
func (w *written) response(fields ...string) []byte {
	w.block.Reset()
	for i := 0; i < len(fields); i += 2 {
		_ = w.encoder.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	w.Reset()
	_ = http2.NewFramer(w, nil).WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: w.block.Bytes(), EndHeaders: true, EndStream: true})
	return bytes.Clone(w.Bytes())
}

// refused returns the response of four fields with which gRPC refuses a call.
func (w *written) refused(httpStatus, code, message string) []byte {
	return w.response(":status", httpStatus, "content-type", "application/grpc", "grpc-status", code, "grpc-message", message)
}

const installed = `grpc: Decompressor is not installed for grpc-encoding `

// A verdict is added where it is certain what gRPC says, however its frame says it.
func TestVerdictOn_ResponsesOfOneConnection_HaveTheVerdictThatIsCertain(t *testing.T) {
	t.Parallel()
	w, r := newWritten(), new(refusals)
	details := []string{":status", "200", "content-type", "application/grpc", "grpc-status", "12", "grpc-message", "there is no such method", "grpc-status-details-bin", "CAwSGA"}
	for i, c := range []struct {
		frame []byte
		want  *verdict
	}{
		{w.response(details...), nil},
		{w.refused("200", "12", installed+`"a"`), encodingVerdict},
		{w.refused("200", "12", installed+`"a"`), encodingVerdict}, // all of it is indexed
		{w.response(details...), nil},
		{w.refused("200", "12", installed+`"`+strings.Repeat("b", 300)+`"`), encodingVerdict},
		{w.refused("200", "12", installed+`"`+strings.Repeat("~", 5000)+`"`), nil}, // too large to be added to
		{w.refused("400", "13", "malformed grpc-timeout: x"), malformedVerdict},
		{w.refused("400", "13", "malformed grpc-timeout: x"), malformedVerdict},
		{w.refused("415", "3", "invalid content-type"), nil},
		{w.response("grpc-status", "0", "grpc-message", ""), nil},
		{w.response(":status", "200", "content-type", "application/grpc", "x-request-id", "a"), nil},
		{w.refused("200", "4", "context deadline exceeded"), nil},
		{w.refused("200", "4", "context deadline exceeded"), nil},
		{w.refused("200", "12", installed+`"a"`), nil}, // either of two messages
		{w.refused("200", "12", installed+`"c"`), encodingVerdict},
		{[]byte("\x00\x00\x00\x01\x05\x00\x00\x00\x01"), nil},
		{[]byte("\x00\x00\x02\x01\x05\x00\x00\x00\x01\x88\x7f"), nil}, // no header block
		{[]byte("\x00\x00\x06\x01\x05\x00\x00\x00\x01\x8c\x40\xff\xff\xff\x7f"), nil},
	} {
		if got := r.verdictOn(c.frame); got != c.want {
			t.Errorf("frame %d: %v, want %v", i, got, c.want)
		}
	}
}

// A client that wants another table of HPACK than gRPC has hears of the change first, in
// the first response of its connection.
func TestVerdictOn_TableOfAnotherSize_HasItsVerdictAndCounts(t *testing.T) {
	t.Parallel()
	for _, size := range []uint32{0, 30, 31, 100, 2000} {
		w, r := newWritten(), new(refusals)
		w.encoder.SetMaxDynamicTableSizeLimit(size)
		if got := r.verdictOn(w.refused("200", "12", installed+`"a"`)); got != encodingVerdict {
			t.Errorf("size %d: the encoding has %v", size, got)
		}
		w, r = newWritten(), new(refusals)
		w.encoder.SetMaxDynamicTableSizeLimit(size)
		frame := w.refused("400", "13", "malformed grpc-timeout: x")
		if got := r.verdictOn(frame); got != malformedVerdict {
			t.Errorf("size %d: the header has %v", size, got)
		}
		for _, n := range []int{1, len(frame)} {
			var s frameScanner
			for p := frame; len(p) > 0; p = p[min(n, len(p)):] {
				s.scan(p[:min(n, len(p))])
			}
			if s.malformed != 1 {
				t.Errorf("size %d, in pieces of %d: %d malformed headers are counted", size, n, s.malformed)
			}
		}
	}
}

// The added field is one of the header, and those that follow are read as before.
func TestVerdict_AddedToAFrame_LeavesTheStateOfTheHeaders(t *testing.T) {
	t.Parallel()
	w, r := newWritten(), new(refusals)
	var read []hpack.HeaderField
	decoder := hpack.NewDecoder(4096, func(f hpack.HeaderField) { read = append(read, f) })
	for i := range 5 {
		frame := w.refused("200", "12", installed+`"a"`)
		v := r.verdictOn(frame)
		if v == nil {
			t.Fatalf("%d: no verdict", i)
		}
		amended := v.with(frame, i > 2)
		if len(amended)-frameHeader != payload(amended) {
			t.Errorf("the frame says %d bytes and has %d", payload(amended), len(amended)-frameHeader)
		}
		read = nil
		if _, err := decoder.Write(amended[frameHeader:]); err != nil {
			t.Fatal(err)
		}
		names := make([]string, len(read))
		for i, f := range read {
			names[i] = f.Name
		}
		if !slices.Equal(names, []string{":status", "content-type", "grpc-status", "grpc-message", "grpc-status-details-bin"}) || read[3].Value != installed+`"a"` {
			t.Errorf("%d: %v", i, read)
		}
		text, err := base64.RawStdEncoding.DecodeString(read[4].Value)
		if outcome := map[bool]string{false: "NOT_SENT", true: "NOT_APPLICABLE"}[i > 2]; err != nil || !bytes.Contains(text, []byte(outcome)) {
			t.Errorf("%d: the details are %q, want %s: %v", i, text, outcome, err)
		}
	}
}
