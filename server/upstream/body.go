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

// ErrResponseTooLarge is the cause of the error for a response beyond the bound, as sent
// or as decoded.
var ErrResponseTooLarge = errors.New("the response is larger than the bound")

var (
	errBrokenCoding  = errors.New("the response's content coding is broken")
	errUnknownCoding = errors.New("the response has an unknown content coding")
)

// lost reports whether the error of [readBody] is that the response did not come to its
// end. One that came and cannot be read shows that the upstream responds.
func lost(err error) bool {
	return err != nil && !errors.Is(err, ErrResponseTooLarge) && !errors.Is(err, errBrokenCoding) && !errors.Is(err, errUnknownCoding)
}

// readBody reads a response of at most limit bytes, as sent and as decoded, and
// closes it. What came before an error is returned with it.
func readBody(resp *http.Response, limit int64) ([]byte, error) {
	defer func() { _ = resp.Body.Close() }()
	body, err := readSent(resp, limit)
	names := resp.Header["Content-Encoding"]
	if names == nil && !coded(body) {
		return body, err
	}
	body, codingErr := decodeBody(body, names, limit)
	return body, cmp.Or(err, codingErr)
}

// readSent reads a response as it was sent.
func readSent(resp *http.Response, limit int64) ([]byte, error) {
	// HTTP/1.1 sees the end of a body of known length with its last byte; HTTP/2 has to
	// be read to its end, or it resets the stream.
	if n := resp.ContentLength; n >= 0 && n <= limit && resp.ProtoMajor == 1 {
		return httpbody.Read(resp.Body, n)
	}
	return io.ReadAll(&boundedReader{r: resp.Body, left: limit})
}

// maxCodings is how many codings of a body are undone, one within the other.
const maxCodings = 3

// decodeBody undoes the codings of a body. None was asked for, but some proxies
// send them all the same, more than one, without their names, or send the names
// with a body that they have decoded: the bytes decide, and not the names. Where
// the names are of codings that are not known here, the body must be JSON as it is.
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
		case coded(body):
			undone, failure = undo(body, limit)
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

// How the codings begin, and no JSON does. Chunks are no content coding, but some
// proxies pass them on as content.
var (
	gzipStart  = []byte("\x1f\x8b")
	zlibStarts = [][]byte{[]byte("\x78\x01"), []byte("\x78\x5e"), []byte("\x78\x9c"), []byte("\x78\xda")}
	chunkStart = regexp.MustCompile("^[0-9A-Fa-f]{1,8}\r\n[{\\[\x1f\x78]")
)

// coded reports whether a body begins as a coding does.
func coded(body []byte) bool {
	if len(body) == 0 || body[0] == '{' {
		return false
	}
	return bytes.HasPrefix(body, gzipStart) || zlibbed(body) || chunkStart.Match(body)
}

func zlibbed(body []byte) bool {
	return slices.ContainsFunc(zlibStarts, func(start []byte) bool { return bytes.HasPrefix(body, start) })
}

// undo undoes the outermost coding of a body that is coded.
func undo(body []byte, limit int64) ([]byte, error) {
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

// inflate undoes deflate without zlib's header, which many take for what HTTP calls
// deflate. It has no beginning of its own: a text that it does not fit is returned
// as it is.
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

// readDecoded reads at most limit bytes of what a coding held.
func readDecoded(r io.Reader, limit int64) ([]byte, error) {
	decoded, err := io.ReadAll(&boundedReader{r: r, left: limit})
	if err != nil && !errors.Is(err, ErrResponseTooLarge) {
		err = fmt.Errorf("%w: %w", errBrokenCoding, err)
	}
	return decoded, err
}

// boundedReader fails where its source has more than left bytes.
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
