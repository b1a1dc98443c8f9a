package gateway

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"

	"github.com/digate/digate/server/budget"
	"github.com/digate/digate/server/contract"
	"github.com/digate/digate/server/httpbody"
)

// headerIdempotencyKey and headerUnresolved are the headers of a request that cross
// the gateway. A request reaches grpc-gateway without headers, so that it follows no Grpc-Timeout,
// Grpc-Metadata-*, X-HTTP-Method-Override, TE or form; authentication took the
// credential before. It also has no host and no address, of which grpc-gateway would
// make metadata that nobody reads.
const headerIdempotencyKey = "Idempotency-Key"

// replayedHeader lets one entry of the response's metadata through: that the
// integration was created by an earlier request.
func replayedHeader(key string) (string, bool) { return "Digate-Replayed", key == contract.ReplayedKey }

// state is what the gateway knows of one request besides what grpc-gateway
// hands around: its own errors keep their type here.
type state struct {
	idempotencyKey []string
	unresolved     []string
	query          map[string]string
	// refused is why the request's body was not taken, err why the request failed,
	// whatever the reason.
	refused, err error
	// received is the request's body, and url the request's without its query.
	received body
	url      url.URL
	// memory is what the request takes of the server's.
	memory budget.Share
}

type stateKey struct{}

func stateFromContext(ctx context.Context) *state {
	s, _ := ctx.Value(stateKey{}).(*state)
	return s
}

// body is a request's body as the marshaler gets to see it. grpc-gateway hands
// the marshaler this reader and nothing else, so the state rides on it.
type body struct {
	io.ReadCloser
	length int64 // -1 where it is not known
	limit  int64
	state  *state
	memory *budget.Share
	got    int64 // bytes that were read
	taken  int64 // those of them for which memory was taken
}

// newRequest returns the request as grpc-gateway gets to see it, under the
// context, and the state that it carries.
func newRequest(ctx context.Context, w http.ResponseWriter, r *http.Request, maxBody int64, memory budget.Share) (*http.Request, *state) {
	s := &state{memory: memory, idempotencyKey: r.Header.Values(headerIdempotencyKey), unresolved: r.Header.Values(headerUnresolved), query: parseQuery(r.URL.RawQuery), url: *r.URL}
	s.url.RawQuery, s.url.RawPath = "", "" // grpc-gateway matches the decoded path
	s.received = body{
		ReadCloser: http.MaxBytesReader(w, r.Body, maxBody),
		length:     r.ContentLength, limit: maxBody, state: s, memory: &s.memory,
	}
	out := r.WithContext(context.WithValue(ctx, stateKey{}, s))
	out.Header, out.Host, out.RemoteAddr = make(http.Header), "", ""
	out.URL, out.Body = &s.url, &s.received
	return out, s
}

// errNoMemory is the error of a body for which there is no memory now.
var errNoMemory = errors.New("the memory of requests is taken")

// Read reads from the body, and takes the memory for what arrived: a sender that only
// claims to send much takes none.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.got += int64(n)
	if more := b.got - b.taken; b.got > budget.Small && more > 0 {
		if !b.memory.Take(more * budget.PerByte) {
			return n, errNoMemory
		}
		b.taken = b.got
	}
	return n, err
}

// readAll returns the whole body.
func (b *body) readAll() ([]byte, error) {
	if b.length > b.limit {
		return nil, &http.MaxBytesError{Limit: b.limit}
	}
	return httpbody.Read(b, b.length)
}

// mayDecode takes the memory of the values in a JSON text, and reports whether it was
// there. In an array or object, each value comes after a comma or is the first.
func mayDecode(text []byte, memory *budget.Share, most int) bool {
	if len(text) <= budget.Small {
		return true
	}
	values := 0
	for _, before := range []string{",", "[", "{"} {
		values += bytes.Count(text, []byte(before))
	}
	return memory.Take(int64(min(values, most)) * budget.PerValue)
}
