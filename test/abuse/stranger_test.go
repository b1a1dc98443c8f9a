package abuse

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// dialFrom opens a connection to a loopback address, from another one. No other
// address is ever dialled.
func dialFrom(ctx context.Context, from, to string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(to)
	if err != nil {
		return nil, err
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return nil, fmt.Errorf("%s is no loopback address", to)
	}
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	return d.DialContext(ctx, "tcp", to)
}

// stranger is an HTTP/2 connection that does what no client library would. One
// goroutine writes, another counts what comes back.
type stranger struct {
	conn   net.Conn
	framer *http2.Framer
	out    *bufio.Writer
	writes sync.Mutex // of framer and out
	block  bytes.Buffer
	fields *hpack.Encoder
	next   uint32
	// windows are those of the stream on which much is sent.
	windows windows

	// ended counts the streams that the server ended.
	ended atomic.Int64
	// places has a token for each stream of a flood that has not ended; nil for none.
	places chan struct{}
	// gone is closed when the connection is.
	gone chan struct{}
}

// meet speaks HTTP/2 on a connection, with a window for each stream to begin with. It
// ends with the context.
func meet(ctx context.Context, conn net.Conn, window uint32) (*stranger, error) {
	s := &stranger{conn: conn, out: bufio.NewWriterSize(conn, 64<<10), next: 1, gone: make(chan struct{}), windows: newWindows()}
	s.fields = hpack.NewEncoder(&s.block)
	s.framer = http2.NewFramer(s.out, bufio.NewReaderSize(conn, 64<<10))
	s.framer.SetReuseFrames()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	_, _ = s.out.WriteString(http2.ClientPreface)
	_ = s.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: window})
	if err := s.out.Flush(); err != nil {
		_ = conn.Close()
		return nil, err
	}
	go func() {
		defer close(s.gone)
		defer stop()
		s.read()
		_ = conn.Close()
	}()
	return s, nil
}

// read reads frames, and responds to those that keep the connection alive.
func (s *stranger) read() {
	for {
		frame, err := s.framer.ReadFrame()
		if err != nil {
			return
		}
		switch f := frame.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				if initial, ok := f.Value(http2.SettingInitialWindowSize); ok {
					s.windows.set(int(initial))
				}
				err = s.write(s.framer.WriteSettingsAck)
			}
		case *http2.WindowUpdateFrame:
			s.windows.add(f.StreamID, int(f.Increment))
		case *http2.PingFrame:
			if !f.IsAck() {
				err = s.write(func() error { return s.framer.WritePing(true, f.Data) })
			}
		case *http2.DataFrame:
			if n := uint32(len(f.Data())); n > 0 {
				err = s.write(func() error { return s.framer.WriteWindowUpdate(0, n) })
			}
		case *http2.HeadersFrame:
			if f.StreamEnded() {
				s.end()
			}
		case *http2.RSTStreamFrame:
			s.end()
		}
		if err != nil {
			return
		}
	}
}

func (s *stranger) end() {
	s.ended.Add(1)
	select {
	case <-s.places:
	default:
	}
}

// write writes frames and sends them.
func (s *stranger) write(frames func() error) error {
	s.writes.Lock()
	defer s.writes.Unlock()
	if err := frames(); err != nil {
		return err
	}
	return s.out.Flush()
}

// send sends frames within a time limit, since the server may not read.
func (s *stranger) send(frames func() error) error {
	_ = s.conn.SetWriteDeadline(time.Now().Add(patience))
	return s.write(frames)
}

// header returns the header of a call, which is valid until the next one's.
func (s *stranger) header(method, token string, extra ...hpack.HeaderField) []byte {
	s.block.Reset()
	for _, f := range []hpack.HeaderField{
		{Name: ":method", Value: "POST"}, {Name: ":scheme", Value: "http"}, {Name: ":path", Value: method}, {Name: ":authority", Value: "digate"},
		{Name: "content-type", Value: "application/grpc"}, {Name: "te", Value: "trailers"},
	} {
		_ = s.fields.WriteField(f)
	}
	if token != "" {
		_ = s.fields.WriteField(hpack.HeaderField{Name: "authorization", Value: "Bearer " + token, Sensitive: true})
	}
	for _, f := range extra {
		_ = s.fields.WriteField(f)
	}
	return s.block.Bytes()
}

// open writes the header of the next stream and returns its id.
func (s *stranger) open(header []byte, end bool) (uint32, error) {
	id := s.next
	s.next += 2
	return id, s.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: header, EndHeaders: true, EndStream: end})
}

// message writes a gRPC message.
func (s *stranger) message(id uint32, end bool, message []byte) error {
	return s.framer.WriteData(id, end, append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))), message...))
}
