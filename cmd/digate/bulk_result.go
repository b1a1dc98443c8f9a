package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"io"
	"strconv"

	"google.golang.org/genproto/googleapis/rpc/code"

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

// The reasons of what the command itself says of a row.
const (
	reasonInvalidRow  = "INVALID_ROW"
	reasonNotBegun    = "NOT_BEGUN"
	reasonNoAnswer    = "NO_ANSWER"
	reasonMayBeForgot = "RETENTION_PASSED"
)

// bulkResult is what came of a row. It holds no secret.
type bulkResult struct {
	Line          int    `json:"line"`
	RequestID     string `json:"request_id"`
	Outcome       string `json:"outcome"`
	IntegrationID string `json:"integration_id"`
	Code          string `json:"code"`
	Reason        string `json:"reason"`
	Message       string `json:"message"`
}

// failed is the result of a row that the server answered with an error.
func (r *bulkResult) failed(e *apierror.Error) {
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

// resultWriter writes results, each at once.
type resultWriter func(bulkResult) error

func discardResults(bulkResult) error { return nil }

func ndjsonResults(w io.Writer) resultWriter {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	return func(r bulkResult) error {
		b.Reset()
		if err := enc.Encode(r); err != nil {
			return err
		}
		_, err := io.WriteString(w, printableJSON(b.Bytes()))
		return err
	}
}

func csvResults(w io.Writer) resultWriter {
	c := csv.NewWriter(w)
	begun := false
	return func(r bulkResult) error {
		if !begun {
			begun = true
			_ = c.Write([]string{"line", "request_id", "outcome", "integration_id", "code", "reason", "message"})
		}
		_ = c.Write([]string{strconv.Itoa(r.Line), r.RequestID, r.Outcome, printable(r.IntegrationID), r.Code, printable(r.Reason), printable(r.Message)})
		c.Flush()
		return c.Error()
	}
}
