package intake

import (
	"google.golang.org/grpc/encoding"
	grpcproto "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
)

// codec is gRPC's codec for protobuf, with another memory use for large responses.
type codec struct{ encoding.CodecV2 }

func newCodec() codec { return codec{encoding.GetCodecV2(grpcproto.Name)} }

// largestPooled is the largest buffer size in gRPC's pool below 1 MiB, in bytes.
const largestPooled = 32 << 10

// Marshal encodes a response as gRPC's codec does. But a response that is larger than
// largestPooled takes only as much memory as it has bytes, since its caller may leave it
// unread.
//
// If a response was measured before, as every response is whose size an interceptor
// limits, the sizes within it are not computed again. A response must not change after it
// was measured.
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	m, ok := v.(proto.Message)
	if !ok {
		return c.CodecV2.Marshal(v)
	}
	sized := proto.MarshalOptions{UseCachedSize: true}
	size := sized.Size(m)
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
