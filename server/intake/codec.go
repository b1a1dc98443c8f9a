package intake

import (
	"google.golang.org/grpc/encoding"
	grpcproto "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	"github.com/digate/digate/server/apierror"
)

// codec is gRPC's codec for protobuf, but for the messages that the intake
// receives.
type codec struct {
	encoding.CodecV2
	intake *Intake
}

func newCodec(i *Intake) codec { return codec{encoding.GetCodecV2(grpcproto.Name), i} }

// Unmarshal decodes into a message of the intake, and keeps there why that was
// refused.
func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	m, ok := v.(*message)
	if !ok {
		return c.CodecV2.Unmarshal(data, v)
	}
	m.refused = c.intake.decode(data, m.proto)
	return nil
}

func (i *Intake) decode(data mem.BufferSlice, m proto.Message) error {
	if data.Len() > i.maxMessage {
		return apierror.RequestTooLarge(int64(i.maxMessage))
	}
	buf := data.MaterializeToBuffer(mem.DefaultBufferPool())
	defer buf.Free()
	if err := proto.Unmarshal(buf.ReadOnlyData(), m); err != nil {
		return invalid("is no protobuf of the request's type")
	}
	return nil
}
