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

// body is the body of a request. Its size is limited, and it reserves memory as it is
// read.
type body struct {
	io.ReadCloser
	length  int64 // -1 if unknown
	limit   int64
	memory  *budget.Share
	arrival budget.Arrival
}

// errNoMemory is the error of a body for which the server has no memory at present.
var errNoMemory = errors.New("the memory of requests is taken")

// Read reads from the body, and reserves memory for the bytes that it read.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if !b.arrival.Add(int64(n), b.memory) {
		return n, errNoMemory
	}
	return n, err
}

// readAll reads and returns the whole body.
func (b *body) readAll() ([]byte, error) {
	if b.length > b.limit {
		return nil, &http.MaxBytesError{Limit: b.limit}
	}
	return httpbody.Read(b, b.length)
}

// reserveDecoded reserves the memory that the values of a JSON text will take, and reports
// whether enough was available.
func reserveDecoded(text []byte, memory *budget.Share, most int) bool {
	if len(text) <= budget.Small {
		return true
	}
	return memory.Take(int64(min(budget.JSONValues(text), most)) * budget.PerValue)
}

// decodeError returns the error of a request whose body or query cannot be decoded.
func decodeError(err error) error { return validate.Refusal(err, locationOf) }

// locationOf returns the place of an error in a request: a field, or the byte offset in a
// body that is not valid JSON.
func locationOf(e *digajson.Error) string {
	if e.Kind == digajson.KindJSON {
		return fmt.Sprintf("body[%d]", e.Offset)
	}
	return cmp.Or(e.Field(), "body")
}
