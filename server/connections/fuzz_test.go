package connections

import (
	"bytes"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// frames returns some frames as a client or a server sends them.
func frames() []byte {
	var b, fields bytes.Buffer
	enc := hpack.NewEncoder(&fields)
	for _, f := range []hpack.HeaderField{{Name: ":status", Value: "400"}, {Name: "content-type", Value: "application/grpc"}, {Name: "grpc-status", Value: "13"}, {Name: "grpc-message", Value: "m"}} {
		_ = enc.WriteField(f)
	}
	framer := http2.NewFramer(&b, nil)
	_ = framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1})
	_ = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: fields.Bytes(), EndHeaders: true, EndStream: true})
	_ = framer.WriteData(3, true, []byte("data"))
	_ = framer.WriteRSTStream(3, http2.ErrCodeCancel)
	_ = framer.WritePing(true, [8]byte{1})
	_ = framer.WriteGoAway(1<<31-1, http2.ErrCodeNo, nil)
	return b.Bytes()
}

// FuzzFrames follows any bytes. They are counted in the same way however they are cut,
// and a frame that is found lies within them.
func FuzzFrames(f *testing.F) {
	f.Add(frames(), 1, 20)
	f.Add([]byte("\xff\xff\xff\x01\x05\x00\x00\x00\x01\x3f"), 3, 9)
	f.Fuzz(func(t *testing.T, stream []byte, first, second int) {
		var whole, cut frameScanner
		whole.scan(stream)
		n := len(stream)
		a := min(max(first, 0), n)
		b := min(max(second, a), n)
		for _, part := range [][]byte{stream[:a], stream[a:b], stream[b:]} {
			from, to, ok := cut.find(part, func(frame []byte) bool {
				if len(frame) < frameHeader || len(frame) != frameHeader+payload(frame) {
					t.Errorf("a frame of %d bytes whose payload has %d", len(frame), payload(frame))
				}
				return endsCall(frame) || saysGoodbye(frame)
			})
			if ok && (from < 0 || to <= from || to > len(part)) {
				t.Errorf("found %d:%d in %d bytes", from, to, len(part))
			}
			cut.scan(part)
		}
		if whole.frameCounts != cut.frameCounts || whole.skip != cut.skip || whole.have != cut.have {
			t.Errorf("whole %+v, cut at %d and %d %+v", whole, a, b, cut)
		}
	})
}

// FuzzHeaderBlock reads any header block. One that HPACK can read has as many fields, and
// a verdict leaves them all as they are.
func FuzzHeaderBlock(f *testing.F) {
	block := frames()
	f.Add(block[frameHeader+6+frameHeader:][:20])
	f.Add([]byte{0x3f, 0xe1, 0x1f, status400, 0x10, 0x01, 'a', 0x01, 'b', 0x88, 0x88})
	f.Add([]byte{status200, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	f.Fuzz(func(t *testing.T, block []byte) {
		fields, ok := decodeBlock(block)
		n, _, read := lastField(block)
		if ok && len(block) <= maxRefusal && (!read || n != len(fields)) {
			t.Errorf("%x: %d fields, %v; HPACK has %d", block, n, read, len(fields))
		}
		if len(block) > maxRefusal {
			return
		}
		frame := appendFrame(block)
		v := new(refusals).verdictOn(frame)
		if v == nil || !ok {
			return
		}
		amended := v.with(frame, false)
		if payload(amended) != len(amended)-frameHeader {
			t.Fatalf("a frame of %d bytes says that it has %d", len(amended), payload(amended))
		}
		got, ok := decodeBlock(amended[frameHeader:])
		if !ok || len(got) != len(fields)+1 || got[len(fields)].Name != "grpc-status-details-bin" {
			t.Errorf("%x: got %v, had %v", block, got, fields)
		}
	})
}

// decodeBlock returns the fields of the first header block of a connection.
func decodeBlock(block []byte) (fields []hpack.HeaderField, ok bool) {
	fields, err := hpack.NewDecoder(4096, nil).DecodeFull(block)
	return fields, err == nil
}

// appendFrame returns a whole response with this header block.
func appendFrame(block []byte) []byte {
	frame := []byte{byte(len(block) >> 16), byte(len(block) >> 8), byte(len(block)), byte(http2.FrameHeaders), byte(http2.FlagHeadersEndHeaders | http2.FlagHeadersEndStream), 0, 0, 0, 1}
	return append(frame, block...)
}
