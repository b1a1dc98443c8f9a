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

// frame is a message that connect-go and this package exchange: the bytes of a request, or
// the message of a response.
type frame struct {
	request  []byte
	response proto.Message
}

// codec passes the bytes of requests on, and encodes responses.
type codec struct {
	name    string
	marshal func(proto.Message) ([]byte, error)
}

var _ connect.Codec = codec{}

// codecs has a codec for every content type.
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
	case proto.Message: // the status of gRPC-Web, which connect-go encodes by its codec for protobuf
		return c.marshal(m)
	default:
		return nil, fmt.Errorf("web: cannot send %T", v)
	}
}

// Unmarshal implements [connect.Codec]. The bytes are connect-go's.
func (codec) Unmarshal(data []byte, v any) error {
	f, ok := v.(*frame)
	if !ok {
		return fmt.Errorf("web: cannot receive into %T", v)
	}
	f.request = bytes.Clone(data)
	return nil
}

const encodingGzip = "gzip"

// gzipMagic begins every gzip file, and no message: its first byte begins no JSON, and in
// protobuf a field of the wire type 7, which does not exist.
const gzipMagic = "\x1f\x8b"

// compressMin is the size in bytes from which on a response is compressed, for a caller
// that takes gzip.
const compressMin = 4 << 10

// compression has connect-go pass compressed messages on as they are: they are
// decompressed within the bounds of a call of gRPC.
var compression = connect.WithHandlerOptions(
	connect.WithCompression(encodingGzip,
		func() connect.Decompressor { return new(asIs) },
		func() connect.Compressor { return gzip.NewWriter(io.Discard) }),
	connect.WithCompressMinBytes(compressMin),
)

// asIs is a decompressor that leaves a gzip file as it is. It refuses anything else, which
// would look like a message that is not compressed.
type asIs struct {
	from  io.Reader
	magic []byte // of the file, as far as it is still to be read
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
