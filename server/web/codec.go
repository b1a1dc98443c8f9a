package web

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// frame is a message that is exchanged with connect-go: the bytes of a request, or the
// message of a response.
type frame struct {
	request  []byte
	response proto.Message
}

// codec passes the bytes of requests on unchanged, and encodes responses.
type codec struct {
	name    string
	marshal func(proto.Message) ([]byte, error)
}

var _ connect.Codec = codec{}

// codecs has a codec for each content type.
var codecs = connect.WithHandlerOptions(
	connect.WithCodec(codec{"proto", proto.Marshal}),
	connect.WithCodec(codec{"json", protojson.Marshal}),
	connect.WithCodec(codec{"json; charset=utf-8", protojson.Marshal}),
)

// Name implements [connect.Codec].
func (c codec) Name() string { return c.name }

// Marshal implements [connect.Codec].
func (c codec) Marshal(v any) ([]byte, error) {
	switch m := v.(type) {
	case *frame:
		return c.marshal(m.response)
	case proto.Message: // the status of gRPC-Web, which connect-go encodes with the codec for protobuf
		return c.marshal(m)
	default:
		return nil, fmt.Errorf("web: cannot send %T", v)
	}
}

// Unmarshal implements [connect.Codec]. The bytes belong to connect-go.
func (codec) Unmarshal(data []byte, v any) error {
	f, ok := v.(*frame)
	if !ok {
		return fmt.Errorf("web: cannot receive into %T", v)
	}
	f.request = bytes.Clone(data)
	return nil
}

const encodingGzip = "gzip"

// gzipMagic begins every gzip file. No message begins with it: its first byte begins no
// JSON, and in protobuf it would be a field with the invalid wire type 7.
const gzipMagic = "\x1f\x8b"

// compressMin is the size in bytes from which a response is compressed, if the caller
// accepts gzip.
const compressMin = 4 << 10

// compression makes connect-go pass on compressed messages unchanged. They are
// decompressed later, within the limits of gRPC calls.
var compression = connect.WithHandlerOptions(
	connect.WithCompression(encodingGzip,
		func() connect.Decompressor { return new(asIs) },
		func() connect.Compressor { return gzip.NewWriter(io.Discard) }),
	connect.WithCompressMinBytes(compressMin),
)

// asIs is a decompressor that passes on a gzip file unchanged. It refuses anything else,
// which would look like an uncompressed message.
type asIs struct {
	from  io.Reader
	magic []byte // the part of gzipMagic that is still to be read
	begun bool
}

// Reset implements [connect.Decompressor].
func (a *asIs) Reset(from io.Reader) error {
	*a = asIs{from: from}
	return nil
}

// Close implements [connect.Decompressor].
func (*asIs) Close() error { return nil }

// Read implements [connect.Decompressor].
func (a *asIs) Read(p []byte) (int, error) {
	if !a.begun {
		a.begun, a.magic = true, make([]byte, len(gzipMagic))
		if _, err := io.ReadFull(a.from, a.magic); err != nil || string(a.magic) != gzipMagic {
			return 0, wireError(notGzip())
		}
	}
	if len(a.magic) > 0 {
		n := copy(p, a.magic)
		a.magic = a.magic[n:]
		return n, nil
	}
	return a.from.Read(p)
}
