package connections

import (
	"encoding/binary"
	"math"

	"golang.org/x/net/http2"
)

// frameHeader is the size of a frame's header in bytes.
const frameHeader = 9

// frameCounts are the numbers of frames, by their effect. A frame counts when its header
// has passed.
type frameCounts struct {
	calls     int // begin a call, or end one
	ends      int // end a call with a status
	resets    int // reset a call
	pings     int // ask for an acknowledgement
	acks      int // acknowledge a ping
	malformed int // say that the header of a call is malformed
}

// frameScanner follows the frames in a stream of bytes.
type frameScanner struct {
	frameCounts
	// see, if set, is called with the header of each frame.
	see    func(kind http2.FrameType, flags http2.Flags, stream uint32, length int)
	skip   int // bytes up to the next header
	header [frameHeader]byte
	have   int // bytes of the header so far

	whole  bool // the frame is a whole response, whose first field comes next
	update sizeUpdate
}

// scan counts the frames whose headers end in these bytes.
func (s *frameScanner) scan(p []byte) {
	for len(p) > 0 {
		if s.skip > 0 {
			if s.whole {
				if s.update.has(p[0]) {
					s.skip--
					p = p[1:]
					continue
				}
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
		s.skip = payload(s.header[:])
		kind, flags := http2.FrameType(s.header[3]), http2.Flags(s.header[4])
		s.count(kind, flags)
		if s.see != nil {
			s.see(kind, flags, binary.BigEndian.Uint32(s.header[5:])&math.MaxInt32, s.skip)
		}
	}
}

func (s *frameScanner) count(kind http2.FrameType, flags http2.Flags) {
	s.whole, s.update = isWholeResponse(kind, flags), sizeUpdate{}
	switch kind {
	case http2.FrameHeaders:
		s.calls++
		if flags.Has(http2.FlagHeadersEndStream) {
			s.ends++
		}
	case http2.FrameRSTStream:
		s.resets++
	case http2.FramePing:
		if flags.Has(http2.FlagPingAck) {
			s.acks++
		} else {
			s.pings++
		}
	}
}

// find returns the first frame that is complete in the bytes after the scanned ones and
// matches. Its bytes are p[from:to].
func (s *frameScanner) find(p []byte, match func(frame []byte) bool) (from, to int, ok bool) {
	from = s.skip
	if s.have > 0 {
		header := s.header
		n := copy(header[s.have:], p)
		if s.have+n < frameHeader {
			return 0, 0, false
		}
		from = n + payload(header[:])
	}
	for from+frameHeader <= len(p) {
		to = from + frameHeader + payload(p[from:])
		if to <= len(p) && match(p[from:to]) {
			return from, to, true
		}
		from = to
	}
	return 0, 0, false
}

// payload returns the number of bytes after a frame's header.
func payload(header []byte) int { return int(binary.BigEndian.Uint32(header[:4]) >> 8) }
