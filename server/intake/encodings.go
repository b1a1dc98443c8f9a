package intake

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"strings"
	"sync"

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

// refusedEncoding is an encoding whose messages arrive as a note that names it.
type refusedEncoding string

// note begins every note. Nobody can send it who does not know it.
var note = rand.Text()

func (e refusedEncoding) Name() string { return string(e) }

func (e refusedEncoding) Compress(io.Writer) (io.WriteCloser, error) {
	return nil, errors.New("intake: " + string(e) + " is not supported")
}

func (e refusedEncoding) Decompress(io.Reader) (io.Reader, error) {
	return strings.NewReader(note + string(e)), nil
}

// checkEncoding returns an error for a message that is a note of a refused encoding.
func checkEncoding(message []byte) error {
	if name, found := bytes.CutPrefix(message, []byte(note)); found {
		return apierror.UnsupportedEncoding(string(name))
	}
	return nil
}
