package bulk

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"

	"google.golang.org/genproto/googleapis/rpc/code"

	"github.com/digate/digate/cmd/digate/internal/term"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/exchange"
)

// The outcomes of a row.
const (
	rowDone     = "DONE"
	rowReplayed = "REPLAYED" // done by an earlier run
	rowNotSent  = "NOT_SENT"
	rowRejected = "REJECTED"
	rowUnknown  = "UNKNOWN"
)

// The reasons that the command itself gives.
const (
	reasonInvalidRow      = "INVALID_ROW"
	reasonNotBegun        = "NOT_BEGUN"
	reasonNoResponse      = "NO_RESPONSE"
	reasonRetentionPassed = "RETENTION_PASSED"
)

// rowResult is what happened to a row. It holds no secret.
type rowResult struct {
	Line          int    `json:"line"`
	RequestID     string `json:"request_id"`
	Outcome       string `json:"outcome"`
	IntegrationID string `json:"integration_id"`
	Code          string `json:"code"`
	Reason        string `json:"reason"`
	Message       string `json:"message"`
}

// failed sets the result of a row to which the server responded with an error.
func (r *rowResult) failed(e *apierror.Error) {
	r.Code, r.Reason, r.Message = code.Code(e.Code).String(), e.Reason, e.Message
	switch e.Outcome {
	case exchange.Done:
		r.Outcome = rowReplayed
		if len(e.IntegrationIDs) > 0 {
			r.IntegrationID = e.IntegrationIDs[0]
		}
	case exchange.NotSent:
		r.Outcome = rowNotSent
	case exchange.Rejected:
		r.Outcome = rowRejected
	default:
		r.Outcome = rowUnknown
	}
}

// mayEnd reports whether another run can learn what became of a row in doubt,
// because its copy may still be under way.
func (r *rowResult) mayEnd() bool {
	switch r.Code {
	case "UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED":
		return true
	}
	return r.Reason == reasonNoResponse
}

// resultWriter writes one result and does not buffer it.
type resultWriter func(rowResult) error

func discardResults(rowResult) error { return nil }

// openResults opens the place that results are written to.
func (c *Command) openResults(stdout io.Writer) (write resultWriter, done func() error, err error) {
	w, done := stdout, func() error { return nil }
	switch {
	case c.Results == "" && term.Columns(stdout) > 0:
		return discardResults, done, nil
	case c.Results != "" && c.Results != "-":
		f, err := os.OpenFile(c.Results, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
		if err != nil {
			return nil, nil, fmt.Errorf("--results: %w", err)
		}
		w, done = f, f.Close
	}
	if c.ResultsFormat == "csv" {
		return csvResults(w), done, nil
	}
	return ndjsonResults(w), done, nil
}

func ndjsonResults(w io.Writer) resultWriter {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	return func(r rowResult) error {
		b.Reset()
		if err := enc.Encode(r); err != nil {
			return err
		}
		_, err := io.WriteString(w, term.PrintableJSON(b.Bytes()))
		return err
	}
}

func csvResults(w io.Writer) resultWriter {
	c := csv.NewWriter(w)
	begun := false
	return func(r rowResult) error {
		if !begun {
			begun = true
			_ = c.Write([]string{"line", "request_id", "outcome", "integration_id", "code", "reason", "message"})
		}
		_ = c.Write([]string{strconv.Itoa(r.Line), r.RequestID, r.Outcome, term.Printable(r.IntegrationID), r.Code, term.Printable(r.Reason), term.Printable(r.Message)})
		c.Flush()
		return c.Error()
	}
}
