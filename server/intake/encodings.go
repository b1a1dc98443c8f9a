package intake

import (
	"context"
	"io"
	"slices"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/gzip" // the supported encoding

	"github.com/digate/digate/server/apierror"
)

// refusedEncodings are encodings that clients know and digate does not support. gRPC
// itself refuses encodings that are not registered, without an outcome.
var refusedEncodings = []string{"br", "deflate", "lz4", "snappy", "zstd"}

// registerEncodings registers the refused encodings. gRPC's registry is global, and a
// client names all its encodings to servers, so merely importing the package must not
// register them.
var registerEncodings = sync.OnceFunc(func() {
	for _, name := range refusedEncodings {
		encoding.RegisterCompressor(refusedEncoding(name))
	}
})

// refusedEncoding is an encoding that is never used, because [checkCall] refuses the
// calls that name it.
type refusedEncoding string

func (e refusedEncoding) Name() string { return string(e) }

func (e refusedEncoding) Compress(io.Writer) (io.WriteCloser, error) {
	return nil, apierror.UnsupportedEncoding(string(e))
}

func (e refusedEncoding) Decompress(io.Reader) (io.Reader, error) {
	return nil, apierror.UnsupportedEncoding(string(e))
}

// checkCall returns an error for a call that names a refused encoding. The call's
// messages might not be compressed, but gRPC would compress the responses, fail, and
// report this to the caller after the copy was made.
//
// gRPC compresses the responses to a call with compressed messages. checkCall disables
// that unless the caller says that it accepts the encoding.
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
