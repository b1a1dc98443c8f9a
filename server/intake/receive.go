package intake

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/budget"
	"github.com/digate/digate/server/digajson"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/validate"
)

// arrival has the encoded messages of a caller. gRPC's own stream has these methods, and
// its RecvMsg uses them.
type arrival interface {
	// ReadMessageHeader reads the header of the next message: a flag, and the length in
	// four bytes. It returns [io.EOF] after the last message.
	ReadMessageHeader(header []byte) error
	// Read reads the next n bytes.
	Read(n int) (mem.BufferSlice, error)
	// RecvCompress returns the encoding that the call names.
	RecvCompress() string
}

const headerSize = 5

// compressed is the flag of a compressed message. The flag of any other message is 0.
const compressed = 1

// message is one message that is being received.
type message struct {
	ctx    context.Context // of the call
	proto  proto.Message   // the message to decode into
	memory budget.Share    // the memory that it uses
	json   bool            // JSON instead of protobuf
	header [headerSize]byte
}

// The limits on the bytes of a message as it arrives, as multiples of MaxMessage.
const (
	// CompressedTimes is the limit for a compressed message, because compression may
	// enlarge a message a little.
	CompressedTimes = 2
	// DropTimes is the limit on what is read and dropped of a message that is too large,
	// because some clients read no response before they have sent the whole message.
	DropTimes = 4
)

// dropPart is how much is dropped at a time.
const dropPart = 64 << 10

// receive receives the next message of a call. It returns [io.EOF] if there is none,
// gRPC's own error if the call has ended, and otherwise an [apierror.Error]. It reports
// whether the message was read to its end.
func (i *Intake) receive(m *message) (whole bool, err error) {
	from, ok := grpc.ServerTransportStreamFromContext(m.ctx).(arrival)
	if !ok {
		return false, apierror.Internal(errors.New("gRPC's stream has no methods to read it by"), exchange.NotSent)
	}
	if err := from.ReadMessageHeader(m.header[:]); err != nil {
		return false, lost(err)
	}
	flag, size := m.header[0], int64(binary.BigEndian.Uint32(m.header[1:]))
	most := int64(i.MaxMessage)
	if flag == compressed {
		most *= CompressedTimes
	}
	if size > most {
		whole = size <= DropTimes*int64(i.MaxMessage) && drop(from, int(size))
		return whole, apierror.RequestTooLarge(int64(i.MaxMessage))
	}
	data, err := from.Read(int(size))
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return false, lost(err)
	}
	defer data.Free()
	if flag > compressed {
		return true, invalid("begins with a flag that gRPC does not know", "PROTOBUF_INVALID")
	}
	if name := from.RecvCompress(); flag == compressed && (name == "" || name == encoding.Identity) {
		return true, invalid("is said to be compressed, but the call names no grpc-encoding", "PROTOBUF_INVALID")
	}
	if encoded, ok := from.(interface{ JSON() bool }); ok { // grpc-go's own streams do not have this method
		m.json = encoded.JSON()
	}
	return true, i.decode(data, flag == compressed, m)
}

// receiveOnly receives the single message of a unary call, and the end of the caller's
// stream.
func (i *Intake) receiveOnly(m *message) error {
	whole, refused := i.receive(m)
	switch {
	case errors.Is(refused, io.EOF):
		return invalid("is missing", "MISSING")
	case !whole:
		return refused
	}
	from := grpc.ServerTransportStreamFromContext(m.ctx).(arrival)
	switch err := from.ReadMessageHeader(m.header[:]); {
	case errors.Is(err, io.EOF):
		return refused
	case err == nil:
		return invalid("is not the only one of its call", "PROTOBUF_INVALID")
	default:
		return lost(err)
	}
}

// drop reads and drops a message, and reports whether it was complete.
func drop(from arrival, size int) bool {
	for size > 0 {
		n := min(size, dropPart)
		data, err := from.Read(n)
		if err != nil {
			return false
		}
		data.Free()
		size -= n
	}
	return true
}

// lost returns the error of a message that could not be read. If the reader returned an
// error with an outcome, lost returns that.
func lost(err error) error {
	if refused, ok := errors.AsType[*apierror.Error](err); ok {
		return refused
	}
	switch code := status.Code(err); {
	case errors.Is(err, io.EOF), code == codes.Canceled, code == codes.DeadlineExceeded:
		return err
	case errors.Is(err, io.ErrUnexpectedEOF):
		return apierror.BodyIncomplete()
	default:
		return invalid("could not be received as one message", "PROTOBUF_INVALID")
	}
}

// decode decodes a message within the limits. It first counts the values in the encoded
// message, because a decoded message may take fifty times as much memory.
func (i *Intake) decode(data mem.BufferSlice, compressed bool, m *message) (err error) {
	buf := data.MaterializeToBuffer(mem.DefaultBufferPool())
	defer buf.Free()
	b := buf.ReadOnlyData()
	if compressed {
		m.memory = i.share(m.ctx)
		b, err = i.decompress(m.ctx, b, &m.memory)
		defer m.memory.Return(m.memory.Taken()) // the text is needed until it is decoded
		if err != nil {
			return err
		}
	}
	if m.json {
		if b, err = i.fromJSON(b, m); err != nil {
			return err
		}
	}
	if len(b) > budget.Small {
		values, err := digajson.CheckWire(m.proto.ProtoReflect().Descriptor(), b)
		if err != nil {
			return validate.Refusal(err, (*digajson.Error).Field)
		}
		if !compressed {
			m.memory = i.share(m.ctx)
		}
		if !m.memory.Take(int64(len(b))*budget.PerByte + int64(values)*budget.PerValue) {
			return apierror.Overloaded(time.Second)
		}
	}
	if err := i.reader.Unmarshal(b, m.proto); err != nil {
		return invalid("is no protobuf of the request's type", "PROTOBUF_INVALID")
	}
	return nil
}

// share returns a call's share of the memory.
func (i *Intake) share(ctx context.Context) budget.Share {
	if i.Callers == nil {
		return i.Memory.Share(budget.Caller{Known: true})
	}
	id, known := i.Callers.Identify(address(ctx), token(ctx))
	return i.Memory.Share(budget.Caller{ID: id, Known: known})
}

// invalid returns the error of a message that cannot be read.
func invalid(description, reason string) error {
	return apierror.InvalidRequest(apierror.Violation{Description: "the message " + description, Reason: reason})
}
