package upstream

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/digajson"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/httpbody"
	"github.com/digate/digate/server/nearjson"
	"github.com/digate/digate/server/upstream/wire"
)

var (
	// errResponseTooLarge is a response beyond the bound, as sent or as decoded.
	errResponseTooLarge = errors.New("the response is larger than the bound")
	errCoding           = errors.New("the response has an unknown content coding")
	errStale            = errors.New("the connection held a response before the request")
)

var (
	// notWhole is the drift of a response that broke off or is no JSON object.
	notWhole = exchange.Drift{Path: []string{"(response)"}, Kind: "not whole"}
	// notJSON is the drift of a response that was mended to be JSON.
	notJSON = exchange.Drift{Path: []string{"(response)"}, Kind: "not JSON"}
)

// readBody reads a response of at most limit bytes, as sent and as decoded, and
// closes it. What came before an error is returned with it.
func readBody(resp *http.Response, limit int64) ([]byte, error) {
	defer func() { _ = resp.Body.Close() }()
	// HTTP/1.1 sees the end of such a body with its last byte; HTTP/2 has to be
	// read to its end, or it resets the stream.
	if n := resp.ContentLength; n >= 0 && n <= limit && resp.ProtoMajor == 1 && resp.Header["Content-Encoding"] == nil {
		body, err := httpbody.Read(resp.Body, n)
		return unlabelled(body, err, limit)
	}
	sent := &boundedReader{r: resp.Body, left: limit}
	switch coding := strings.ToLower(strings.Join(resp.Header["Content-Encoding"], ",")); coding {
	case "", "identity":
		body, err := io.ReadAll(sent)
		return unlabelled(body, err, limit)
	case "gzip", "x-gzip":
		// Not asked for, but some proxies send it all the same, and some send this
		// header with a body that they have decoded.
		var start [len(gzipMagic)]byte
		n, err := io.ReadFull(sent, start[:])
		body := io.MultiReader(bytes.NewReader(start[:n]), sent)
		if err != nil || string(start[:]) != gzipMagic {
			return io.ReadAll(body)
		}
		return gunzip(body, limit)
	default:
		// Some say here what is no coding, such as a character set: what came is
		// read as it is, and passed on to nobody.
		body, err := io.ReadAll(sent)
		return body, cmp.Or(err, errCoding)
	}
}

// gzipMagic is how gzip begins (RFC 1952), and no JSON does.
const gzipMagic = "\x1f\x8b"

// unlabelled returns a body that has no content coding by its header. One that
// is gzip all the same is decoded.
func unlabelled(body []byte, readErr error, limit int64) ([]byte, error) {
	if !bytes.HasPrefix(body, []byte(gzipMagic)) {
		return body, readErr
	}
	decoded, err := gunzip(bytes.NewReader(body), limit)
	return decoded, cmp.Or(readErr, err)
}

// gunzip decodes a body to at most limit bytes.
func gunzip(body io.Reader, limit int64) ([]byte, error) {
	zr, err := gzip.NewReader(body)
	if err != nil {
		return nil, fmt.Errorf("gzip: %w", err)
	}
	return io.ReadAll(&boundedReader{r: zr, left: limit})
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
			return 0, errResponseTooLarge
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

// decode fills the response from a 2xx and reports whether the call is done. A 2xx
// that yields an id is never turned into a failure, however odd or short the
// rest is: the integration exists. A response that has no id by contract must be
// whole. A text that is only nearly JSON is read, and passed on to nobody.
func (r *rule) decode(ex *exchange.Exchange, body []byte, readErr error, resp proto.Message) (done bool) {
	if r.Response == nil {
		// A page of HTML is somebody else's response: that of a sign-in page, say.
		text := bytes.TrimSpace(nearjson.TrimBOM(body))
		ex.Relay = readErr == nil && (len(text) == 0 || json.Valid(body))
		if !ex.Relay && readErr == nil {
			mended, _ := nearjson.Mend(body)
			return json.Valid(mended)
		}
		return true
	}
	target := resp.ProtoReflect()
	if r.ResponseField != nil {
		target = target.Mutable(r.ResponseField).Message()
	}
	drift, err := r.Response.UnmarshalResponse(body, target.Interface())
	asSent := err == nil
	if !asSent {
		if mended, changed := nearjson.Mend(body); changed {
			body = mended
			proto.Reset(target.Interface())
			drift, err = r.Response.UnmarshalResponse(body, target.Interface())
			drift = append(drift, notJSON)
		}
	}
	ex.Drift = drift
	whole := readErr == nil && err == nil
	if !whole {
		ex.Drift = append(ex.Drift, notWhole)
	}
	done = whole
	if r.HasID {
		flattened, _ := digajson.Flattened(target.Descriptor())
		done = yieldsID(target, whole)
		if !done && flattened != nil {
			done = bareID(target, flattened, body, r.write)
		}
	}
	ex.Relay = done && whole && asSent
	return done
}

// noResponse returns the verdict on an attempt that got no response.
func noResponse(ctx context.Context, r *rule, err error, track *wire.Tracker) *apierror.Error {
	sent := track.Sent(ctx, err)
	// The caller's end explains the failure, whatever net/http calls it.
	if cause := ctx.Err(); cause != nil {
		err = fmt.Errorf("%w: %w", cause, err)
		if !sent {
			return apierror.NotBegun(err)
		}
		return apierror.ResponseLost(err, r.write)
	}
	if !sent {
		return apierror.Unreachable(err)
	}
	return apierror.ResponseLost(err, r.write)
}

// cutShort names the caller's end as the reason why a response was not whole.
func cutShort(ctx context.Context, err error) error {
	if cause := ctx.Err(); err != nil && cause != nil {
		return fmt.Errorf("%w: %w", cause, err)
	}
	return err
}
