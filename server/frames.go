package server

import (
	"encoding/binary"

	"golang.org/x/net/http2"
)

// frameHeader is the size of a frame's header in bytes.
const frameHeader = 9

// frameScanner follows the frames in a stream of bytes.
type frameScanner struct {
	skip   int // bytes to the next header
	header [frameHeader]byte
	have   int // bytes of the header so far

	whole     bool // the frame is a whole response, whose first byte comes next
	malformed int  // responses so far that say that the header of a call is malformed
}

// between reports whether the last byte was the end of a frame.
func (s *frameScanner) between() bool { return s.skip == 0 && s.have == 0 }

// scan returns how many of the frames whose header ends in these bytes match.
func (s *frameScanner) scan(p []byte, match func(http2.FrameType, http2.Flags) bool) (count int) {
	for len(p) > 0 {
		if s.skip > 0 {
			if s.whole {
				s.whole = false
				if saysMalformed(p[0]) {
					s.malformed++
				}
			}
			n := min(s.skip, len(p))
			s.skip -= n
			p = p[n:]
			continue
		}
		n := copy(s.header[s.have:], p)
		s.have += n
		p = p[n:]
		if s.have < frameHeader {
			break
		}
		s.have = 0
		s.skip = int(binary.BigEndian.Uint32(s.header[:4]) >> 8)
		kind, flags := http2.FrameType(s.header[3]), http2.Flags(s.header[4])
		s.whole = isWholeResponse(kind, flags)
		if match(kind, flags) {
			count++
		}
	}
	return count
}

// isReset reports whether the frame resets a call.
func isReset(t http2.FrameType, _ http2.Flags) bool { return t == http2.FrameRSTStream }

// isEnd reports whether the frame ends a call with a status.
func isEnd(t http2.FrameType, f http2.Flags) bool {
	return t == http2.FrameHeaders && f.Has(http2.FlagHeadersEndStream)
}
