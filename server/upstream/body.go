package upstream

import (
	"bytes"
	"cmp"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/digate/digate/server/httpbody"
)

// ErrResponseTooLarge is the error of a response whose encoded or decoded body is larger
// than the limit.
var ErrResponseTooLarge = errors.New("the response is larger than the bound")

var (
	errBrokenCoding  = errors.New("the response's content coding is broken")
	errUnknownCoding = errors.New("the response has an unknown content coding")
)

// isIncomplete reports whether an error of [readBody] means that the response is incomplete. A
// complete response that cannot be decoded shows that the upstream responds.
func isIncomplete(err error) bool {
	return err != nil && !errors.Is(err, ErrResponseTooLarge) && !errors.Is(err, errBrokenCoding) && !errors.Is(err, errUnknownCoding)
}

// readBody reads and closes a response's body. The limit applies to the encoded and to
// the decoded body. If readBody fails, it also returns what it has read.
func readBody(resp *http.Response, limit int64) ([]byte, error) {
	defer func() { _ = resp.Body.Close() }()
	body, err := readSent(resp, limit)
	names := resp.Header["Content-Encoding"]
	if names == nil && !looksEncoded(body) {
		return body, err
	}
	body, codingErr := decodeBody(body, names, limit)
	return body, cmp.Or(err, codingErr)
}

// readSent reads a body without decoding it.
func readSent(resp *http.Response, limit int64) ([]byte, error) {
	// In HTTP/1.1, a body of known length ends with its last byte. In HTTP/2, it must be
	// read to its end, or the stream is reset.
	if n := resp.ContentLength; n >= 0 && n <= limit && resp.ProtoMajor == 1 {
		return httpbody.Read(resp.Body, n)
	}
	return io.ReadAll(&boundedReader{r: resp.Body, left: limit})
}

// maxCodings is the maximum number of nested content codings that are decoded.
const maxCodings = 3

// decodeBody decodes the content codings of a body. digate asks for none, but some
// proxies apply codings anyway: several of them, or without Content-Encoding. Others name
// a coding of a body that they have already decoded. So decodeBody goes by the bytes and
// not by the names. If a coding is unknown, the body must be JSON without decoding.
func decodeBody(body []byte, names []string, limit int64) (_ []byte, err error) {
	unknown, deflated := false, false
	for name := range strings.SplitSeq(strings.ToLower(strings.Join(names, ",")), ",") {
		switch strings.TrimSpace(name) {
		case "deflate":
			deflated = true
		case "", "identity", "gzip", "x-gzip":
		default:
			unknown = true
		}
	}
	for range maxCodings {
		undone, failure := body, error(nil)
		switch {
		case looksEncoded(body):
			undone, failure = decodeOutermost(body, limit)
		case deflated:
			undone, failure = inflate(body, limit)
		}
		if bytes.Equal(undone, body) {
			break
		}
		body, err = undone, cmp.Or(err, failure)
	}
	if unknown && !json.Valid(body) {
		err = cmp.Or(err, errUnknownCoding)
	}
	return body, err
}

// The first bytes of each coding, with which no JSON begins. Chunked is not a content
// coding, but some proxies pass chunks on as content.
var (
	gzipStart  = []byte("\x1f\x8b")
	zlibStarts = [][]byte{[]byte("\x78\x01"), []byte("\x78\x5e"), []byte("\x78\x9c"), []byte("\x78\xda")}
	chunkStart = regexp.MustCompile("^[0-9A-Fa-f]{1,8}\r\n[{\\[\x1f\x78]")
)

// looksEncoded reports whether a body begins like an encoded one.
func looksEncoded(body []byte) bool {
	if len(body) == 0 || body[0] == '{' {
		return false
	}
	return bytes.HasPrefix(body, gzipStart) || zlibbed(body) || chunkStart.Match(body)
}

func zlibbed(body []byte) bool {
	return slices.ContainsFunc(zlibStarts, func(start []byte) bool { return bytes.HasPrefix(body, start) })
}

// decodeOutermost decodes the outermost coding of an encoded body.
func decodeOutermost(body []byte, limit int64) ([]byte, error) {
	sent := bytes.NewReader(body)
	var r io.Reader
	var err error
	switch {
	case bytes.HasPrefix(body, gzipStart):
		r, err = gzip.NewReader(sent)
	case zlibbed(body):
		r, err = zlib.NewReader(sent)
	default:
		r = httputil.NewChunkedReader(sent)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errBrokenCoding, err)
	}
	return readDecoded(r, limit)
}

// inflate decodes deflate without the zlib header, which many implementations send as
// HTTP's deflate. It has no first bytes to recognize it by, so inflate returns a body
// that cannot be decoded unchanged.
func inflate(body []byte, limit int64) ([]byte, error) {
	if json.Valid(body) {
		return body, nil
	}
	decoded, err := readDecoded(flate.NewReader(bytes.NewReader(body)), limit)
	if err != nil && (len(decoded) == 0 || utf8.Valid(body)) {
		return body, nil
	}
	return decoded, err
}

// readDecoded reads at most limit bytes of decoded content.
func readDecoded(r io.Reader, limit int64) ([]byte, error) {
	decoded, err := io.ReadAll(&boundedReader{r: r, left: limit})
	if err != nil && !errors.Is(err, ErrResponseTooLarge) {
		err = fmt.Errorf("%w: %w", errBrokenCoding, err)
	}
	return decoded, err
}

// boundedReader fails when more than left bytes have been read from it.
type boundedReader struct {
	r    io.Reader
	left int64
}

func (b *boundedReader) Read(p []byte) (int, error) {
	if b.left == 0 {
		var one [1]byte
		n, err := b.r.Read(one[:])
		if n > 0 {
			return 0, ErrResponseTooLarge
		}
		return 0, err
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.r.Read(p)
	b.left -= int64(n)
	return n, err
}
