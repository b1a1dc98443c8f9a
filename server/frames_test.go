package server

import (
	"bytes"
	"testing"

	"golang.org/x/net/http2"
)

func TestFrameScanner_BytesInAnyPieces_CountsTheSameFrames(t *testing.T) {
	var b bytes.Buffer
	b.WriteString(http2.ClientPreface)
	f := http2.NewFramer(&b, nil)
	for i := range uint32(10) {
		_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 2*i + 1, BlockFragment: []byte{1, 3, 3, 7}, EndHeaders: true})
		_ = f.WriteData(2*i+1, false, bytes.Repeat([]byte{3}, 100*int(i)))
		_ = f.WriteRSTStream(2*i+1, http2.ErrCodeCancel)
	}
	for _, size := range []int{1, 2, 7, 9, 10, 100, b.Len()} {
		s, count := frameScanner{skip: len(http2.ClientPreface)}, 0
		for p := b.Bytes(); len(p) > 0; {
			n := min(size, len(p))
			count += s.scan(p[:n], isReset)
			p = p[n:]
		}
		if count != 10 {
			t.Errorf("in pieces of %d bytes: %d resets, want 10", size, count)
		}
	}
}
