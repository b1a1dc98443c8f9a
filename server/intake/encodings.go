package intake

import (
	"context"
	"io"
	"slices"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/gzip" // the encoding that is supported

	"github.com/digate/digate/server/apierror"
)

// refusedEncodings are the encodings that clients know and digate does not support.
// gRPC refuses those that nobody registered by itself, without a verdict.
var refusedEncodings = []string{"br", "deflate", "lz4", "snappy", "zstd"}

// registerEncodings registers the refused encodings. gRPC's register is the
// process's, and a client names it all to its server, so this is not done by the
// mere import of the package.
var registerEncodings = sync.OnceFunc(func() {
	for _, name := range refusedEncodings {
		encoding.RegisterCompressor(refusedEncoding(name))
	}
})

// refusedEncoding is an encoding in which nothing is read or written: [checkCall]
// refuses the calls that name it.
type refusedEncoding string

func (e refusedEncoding) Name() string { return string(e) }

func (e refusedEncoding) Compress(io.Writer) (io.WriteCloser, error) {
	return nil, apierror.UnsupportedEncoding(string(e))
}

func (e refusedEncoding) Decompress(io.Reader) (io.Reader, error) {
	return nil, apierror.UnsupportedEncoding(string(e))
}

// checkCall returns an error for a call that names a refused encoding. Its messages
// need not be compressed, but gRPC would compress the responses, fail, and tell the
// caller so after the copy was made.
//
// gRPC compresses the responses to a call that is compressed. A caller may send an
// encoding that it does not take, so checkCall switches that off unless the caller
// says that it takes it.
func checkCall(ctx context.Context) error {
	call, ok := grpc.ServerTransportStreamFromContext(ctx).(interface {
		RecvCompress() string
		ClientAdvertisedCompressors() []string
	})
	if !ok {
		return nil
	}
	name := call.RecvCompress()
	if slices.Contains(refusedEncodings, name) {
		return apierror.UnsupportedEncoding(name)
	}
	if name != "" && name != encoding.Identity && !slices.Contains(call.ClientAdvertisedCompressors(), name) {
		return grpc.SetSendCompressor(ctx, encoding.Identity)
	}
	return nil
}
