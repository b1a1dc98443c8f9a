package gateway

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/digate/digate/server/budget"
	"github.com/digate/digate/server/digajson"
	"github.com/digate/digate/server/httpbody"
	"github.com/digate/digate/server/validate"
)

// body is a request's body, which is bounded and takes memory as it arrives.
type body struct {
	io.ReadCloser
	length  int64 // -1 where it is not known
	limit   int64
	memory  *budget.Share
	arrival budget.Arrival
}

// errNoMemory is the error of a body for which there is no memory now.
var errNoMemory = errors.New("the memory of requests is taken")

// Read reads from the body, and takes the memory for what arrived.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if !b.arrival.Add(int64(n), b.memory) {
		return n, errNoMemory
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
// there.
func mayDecode(text []byte, memory *budget.Share, most int) bool {
	if len(text) <= budget.Small {
		return true
	}
	return memory.Take(int64(min(budget.JSONValues(text), most)) * budget.PerValue)
}

// refusal returns the error of a request whose body or query the codec does not
// take.
func refusal(err error) error { return validate.Refusal(err, faultIn) }

// faultIn returns where a request is wrong: a field, or the byte of a body that is no
// JSON.
func faultIn(e *digajson.Error) string {
	if e.Kind == digajson.KindJSON {
		return fmt.Sprintf("body[%d]", e.Offset)
	}
	return cmp.Or(e.Field(), "body")
}
