// Package static serves content that does not change while the server runs, compressed
// and with an ETag.
package static

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// form creates one form of the content at its first call, and caches it.
type form = func() ([]byte, error)

// content is the handler.
type content struct {
	contentType   string
	plain, zipped form
	// etag is the digest of the original form.
	etag func() (string, error)
}

// Text returns a handler of a text, which is created at the first request.
func Text(contentType string, text func() ([]byte, error)) http.Handler {
	plain := sync.OnceValues(text)
	return &content{contentType, plain, sync.OnceValues(func() ([]byte, error) {
		text, err := plain()
		if err != nil {
			return nil, err
		}
		return Zip(text), nil
	}), digest(plain)}
}

// Zipped returns a handler of content that was compressed by [Zip]. The content is
// decompressed at the first request of a client that does not accept gzip.
func Zipped(contentType string, read func() ([]byte, error)) http.Handler {
	zipped := sync.OnceValues(read)
	return &content{contentType, sync.OnceValues(func() ([]byte, error) {
		zipped, err := zipped()
		if err != nil {
			return nil, err
		}
		return Unzip(zipped)
	}), zipped, digest(zipped)}
}

// digest returns a function that returns the digest of a form, and computes it only once.
func digest(of form) func() (string, error) {
	return sync.OnceValues(func() (string, error) {
		text, err := of()
		sum := sha256.Sum256(text)
		return hex.EncodeToString(sum[:16]), err
	})
}

// Zip compresses a text with gzip, at the highest level.
func Zip(text []byte) []byte {
	var out bytes.Buffer
	w, _ := gzip.NewWriterLevel(&out, gzip.BestCompression) // the level is valid
	_, _ = w.Write(text)                                    // writing to a buffer never fails
	_ = w.Close()
	return out.Bytes()
}

// Unzip decompresses a text.
func Unzip(zipped []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(zipped))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// ServeHTTP implements [http.Handler].
func (c *content) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	zip := takesGzip(r.Header.Values("Accept-Encoding"))
	send, variant := c.plain, ""
	if zip {
		send, variant = c.zipped, "-gzip"
	}
	etag, unnamed := c.etag()
	body, unmade := send()
	if err := cmp.Or(unnamed, unmade); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	header := w.Header()
	header.Set("Content-Type", c.contentType)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Cache-Control", "no-cache") // it may be cached, but must be validated by its ETag
	header.Set("Vary", "Accept-Encoding")
	header.Set("ETag", `"`+etag+variant+`"`)
	if zip {
		header.Set("Content-Encoding", "gzip")
	}
	http.ServeContent(w, oneRange(r), "", time.Time{}, bytes.NewReader(body))
}

// oneRange returns a request with at most one range. A list of ranges is ignored, as RFC
// 9110, 14.2, permits: a header has room for thousands of ranges, which take a hundred
// times the work of the whole content.
func oneRange(r *http.Request) *http.Request {
	if !strings.Contains(r.Header.Get("Range"), ",") {
		return r
	}
	r = r.Clone(r.Context())
	r.Header.Del("Range")
	return r
}

// takesGzip reports whether a client accepts gzip (RFC 9110, 12.5.3): the header names
// gzip or *, and not with the weight 0.
func takesGzip(values []string) bool {
	others := false
	for _, value := range values {
		for element := range strings.SplitSeq(value, ",") {
			coding, weight, _ := strings.Cut(element, ";")
			takes := !refused(weight)
			switch strings.ToLower(strings.TrimSpace(coding)) {
			case "gzip", "x-gzip":
				return takes
			case "*":
				others = takes
			}
		}
	}
	return others
}

// refused reports whether a weight is 0.
func refused(weight string) bool {
	q, ok := strings.CutPrefix(strings.ToLower(strings.ReplaceAll(weight, " ", "")), "q=")
	return ok && strings.HasPrefix(q, "0") && strings.Trim(q, "0.") == ""
}
