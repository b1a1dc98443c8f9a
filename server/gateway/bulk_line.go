package gateway

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/stall"
)

// line is one line of a bulk response. The order of its fields is the order in the JSON.
type line struct {
	Line        int             `json:"line,omitempty"`
	RequestID   string          `json:"request_id,omitempty"`
	Replayed    bool            `json:"replayed,omitempty"`
	Integration json.RawMessage `json:"integration,omitempty"`
	// Outcome, HTTPStatus and Error have the values that the response to a single request
	// would have.
	Outcome    string          `json:"outcome,omitempty"`
	HTTPStatus int             `json:"http_status,omitempty"`
	Error      json.RawMessage `json:"error,omitempty"`
	Summary    *summary        `json:"summary,omitempty"`
}

type summary struct {
	Total    int64 `json:"total"`
	Done     int64 `json:"done"`
	Replayed int64 `json:"replayed"`
	NotSent  int64 `json:"not_sent"`
	Rejected int64 `json:"rejected"`
	Unknown  int64 `json:"unknown"`
}

// failure returns the line of a copy that failed. If n is 0, it is the line of the whole
// stream.
func failure(n int, requestID string, err error) line {
	e := apierror.FromError(err)
	violations := slices.Clone(e.Violations)
	for i := range violations {
		violations[i].Field = strings.TrimPrefix(violations[i].Field, "copy.")
	}
	a := e.WithViolations(violations...).REST(nil)
	return line{Line: n, RequestID: requestID, Outcome: e.Outcome.String(), HTTPStatus: a.Status, Error: a.Body}
}

// lines writes values as lines of JSON and flushes each. After an error it writes nothing
// more.
type lines struct {
	w       io.Writer
	control *http.ResponseController
	writing stall.Guard
	err     error
}

// newLines returns the writer of the lines of a response. A write fails if the client
// reads nothing for the timeout.
func newLines(w http.ResponseWriter, timeout time.Duration) *lines {
	control := http.NewResponseController(w)
	writing := stall.Guard{Control: control, Timeout: timeout}
	writing.End()
	return &lines{w: w, control: control, writing: writing}
}

func (o *lines) write(l any) {
	if o.err != nil {
		return
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if o.err = enc.Encode(l); o.err == nil {
		o.put(b.Bytes())
	}
}

// put writes a line of JSON. The text must end in a newline.
func (o *lines) put(text []byte) {
	if o.err != nil {
		return
	}
	o.writing.Begin()
	if _, o.err = o.w.Write(escapeLineEnds(text)); o.err == nil {
		o.err = o.control.Flush()
	}
	o.writing.End()
}
