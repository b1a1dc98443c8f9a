package connections

import (
	"bytes"
	"math"
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
		s := frameScanner{skip: len(http2.ClientPreface)}
		for p := b.Bytes(); len(p) > 0; {
			n := min(size, len(p))
			s.scan(p[:n])
			p = p[n:]
		}
		if s.resets != 10 {
			t.Errorf("in pieces of %d bytes: %d resets, want 10", size, s.resets)
		}
	}
}

func TestFrameScanner_WhateverWasScannedBefore_FindsTheFrame(t *testing.T) {
	var b bytes.Buffer
	f := http2.NewFramer(&b, nil)
	_ = f.WriteData(1, false, bytes.Repeat([]byte{7}, 100))
	_ = f.WriteGoAway(5, http2.ErrCodeNo, nil)
	_ = f.WriteGoAway(math.MaxInt32, http2.ErrCodeEnhanceYourCalm, nil)
	from := b.Len()
	_ = f.WriteGoAway(math.MaxInt32, http2.ErrCodeNo, []byte("bye"))
	to := b.Len()
	_ = f.WriteData(1, true, nil)
	for scanned := range b.Len() {
		var s frameScanner
		s.scan(b.Bytes()[:scanned])
		gotFrom, gotTo, ok := s.find(b.Bytes()[scanned:], saysGoodbye)
		if want := scanned <= from; ok != want || ok && (scanned+gotFrom != from || scanned+gotTo != to) {
			t.Errorf("after %d bytes: found %v at %d to %d, want %v at %d to %d", scanned, ok, scanned+gotFrom, scanned+gotTo, want, from, to)
		}
	}
	if _, _, ok := new(frameScanner).find(b.Bytes()[:to-1], saysGoodbye); ok {
		t.Error("found a frame that is not whole")
	}
}
