package intake

import (
	"context"
	"time"

	"google.golang.org/grpc/encoding"
	grpcproto "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/budget"
	"github.com/digate/digate/server/digajson"
	"github.com/digate/digate/server/validate"
)

// codec is gRPC's codec for protobuf, but for the messages that the intake
// receives.
type codec struct {
	encoding.CodecV2
	intake *Intake
}

func newCodec(i *Intake) codec { return codec{encoding.GetCodecV2(grpcproto.Name), i} }

// gRPC's pool of buffers has none between largestPooled and 1 MiB, in bytes.
const largestPooled = 32 << 10

// Marshal encodes a response as gRPC's codec does, but for a response that is larger
// than largestPooled: that takes as much memory as it has bytes, since its caller may
// leave it unread.
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	m, ok := v.(proto.Message)
	if !ok {
		return c.CodecV2.Marshal(v)
	}
	size := proto.Size(m)
	sized := proto.MarshalOptions{UseCachedSize: true}
	if mem.IsBelowBufferPoolingThreshold(size) || size > largestPooled {
		b, err := sized.Marshal(m)
		return mem.BufferSlice{mem.SliceBuffer(b)}, err
	}
	pool := mem.DefaultBufferPool()
	buf := pool.Get(size)
	if _, err := sized.MarshalAppend((*buf)[:0], m); err != nil {
		pool.Put(buf)
		return nil, err
	}
	return mem.BufferSlice{mem.NewBuffer(buf, pool)}, nil
}

// Unmarshal decodes into a message of the intake, and keeps there why that was
// refused.
func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	m, ok := v.(*message)
	if !ok {
		return c.CodecV2.Unmarshal(data, v)
	}
	m.refused = c.intake.decode(data, m)
	return nil
}

// decode decodes a message within the bounds. What it holds is counted first, as
// bytes: decoded, it may take fifty times their memory.
func (i *Intake) decode(data mem.BufferSlice, m *message) (err error) {
	compressed := leftAsGzip(data)
	if !compressed && data.Len() > i.MaxMessage {
		return apierror.RequestTooLarge(int64(i.MaxMessage))
	}
	buf := data.MaterializeToBuffer(mem.DefaultBufferPool())
	defer buf.Free()
	b := buf.ReadOnlyData()
	if compressed {
		text := i.share(m.ctx) // until it is decoded
		defer text.GiveBack()
		if b, err = i.decompress(m.ctx, b[1:], &text); err != nil {
			return err
		}
	}
	if len(b) > budget.Small {
		values, err := digajson.CheckWire(m.proto.ProtoReflect().Descriptor(), b)
		if err != nil {
			return validate.Refusal(err, (*digajson.Error).Field)
		}
		m.memory = i.share(m.ctx)
		if !m.memory.Take(int64(len(b))*budget.PerByte + int64(values)*budget.PerValue) {
			return apierror.Overloaded(time.Second)
		}
	}
	if err := proto.Unmarshal(b, m.proto); err != nil {
		return invalid("is no protobuf of the request's type", "PROTOBUF_INVALID")
	}
	return nil
}

// share returns the share of the memory of a call.
func (i *Intake) share(ctx context.Context) budget.Share {
	return i.Memory.Share(i.Gate == nil || i.Gate.Knows(token(ctx)))
}
