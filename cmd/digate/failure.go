package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc/codes"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/exchange"
)

// reasonNoServer is the reason of a call that found no digate to take it.
const reasonNoServer = "DIGATE_UNREACHABLE"

// effect is what a call does, where it does anything: it decides what a second
// call would do.
type effect int

const (
	creates     effect = iota // something new with every call
	createsOnce               // something new, and once for its request id
	changes                   // something that is there, to what a second call makes of it too
	reads                     // nothing
)

// fail says why a call failed and returns the error that ends the process with
// the code of its outcome.
func fail(w io.Writer, output string, does effect, err error) error {
	var e *apierror.Error
	if unreachable := (*unreachableError)(nil); errors.As(err, &unreachable) {
		e = &apierror.Error{Code: codes.Unavailable, Reason: reasonNoServer, Outcome: exchange.NotSent, Message: unreachable.text}
	} else {
		e = apierror.FromError(err)
	}
	if output == outputJSON {
		reportJSON(w, e)
	} else {
		reportText(w, does, e)
	}
	switch e.Outcome {
	case exchange.Done: // and not shown
		return exitError(exitFailed)
	case exchange.NotSent:
		return exitError(exitNotSent)
	case exchange.Rejected:
		return exitError(exitRejected)
	default:
		return exitError(exitUnknown)
	}
}

func reportJSON(w io.Writer, e *apierror.Error) {
	type violation struct {
		Field       string `json:"field"`
		Description string `json:"description"`
	}
	type failure struct {
		Code       string      `json:"code"`
		Reason     string      `json:"reason"`
		Outcome    string      `json:"outcome"`
		Message    string      `json:"message"`
		HTTPStatus int         `json:"http_status,omitempty"`
		RetryAfter string      `json:"retry_after,omitempty"`
		Violations []violation `json:"violations,omitempty"`
		// IntegrationIDs are what was made, or in doubt what may have been.
		IntegrationIDs []string `json:"integration_ids,omitempty"`
	}
	out := failure{Code: code.Code(e.Code).String(), Reason: e.Reason, Outcome: e.Outcome.String(), Message: e.Message,
		HTTPStatus: e.HTTPStatus, RetryAfter: retryAfter(e), IntegrationIDs: e.IntegrationIDs}
	for _, v := range e.Violations {
		out.Violations = append(out.Violations, violation{v.Field, v.Description})
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(map[string]failure{"error": out}) // strings and numbers
	_, _ = io.WriteString(w, printableJSON(b.Bytes()))
}

func reportText(w io.Writer, does effect, e *apierror.Error) {
	fmt.Fprintf(w, "%s: %s\n", e.Outcome, printable(e.Message))
	for _, v := range e.Violations {
		if line := v.Field + ": " + v.Description; line != e.Message { // which quotes the first
			fmt.Fprintf(w, "  %s\n", printable(line))
		}
	}
	fmt.Fprintf(w, "  code %s, reason %s", code.Code(e.Code), printable(e.Reason))
	if e.HTTPStatus != 0 {
		fmt.Fprintf(w, ", HTTP %d from Diga", e.HTTPStatus)
	}
	if after := retryAfter(e); after != "" {
		fmt.Fprintf(w, ", retry after %s", after)
	}
	fmt.Fprintln(w)
	for _, id := range e.IntegrationIDs {
		what := "may have created"
		if e.Outcome == exchange.Done {
			what = "created"
		}
		fmt.Fprintf(w, "  %s %s\n", what, printable(id))
	}
	fmt.Fprintf(w, "  %s\n", meaning(e, does))
}

// retryAfter is how long to wait before a second call, where one is invited.
func retryAfter(e *apierror.Error) string {
	if e.RetryAfter == nil {
		return ""
	}
	return e.RetryAfter.Round(time.Millisecond).String()
}

func meaning(e *apierror.Error, does effect) string {
	o := e.Outcome
	switch {
	case o == exchange.Done:
		return "It was done before. Nothing was sent now but a read, which failed."
	case does == createsOnce && e.Code == codes.Aborted:
		return "It is not sent again until somebody says what became of it: see `digate ledger show`, with the request id."
	case does == createsOnce && o == exchange.Unknown:
		return "It may have been done. With the same --request-id it can be asked for again, and is not done twice."
	case o == exchange.NotSent:
		return "Nothing was sent to Diga, so nothing was done."
	case o == exchange.Rejected:
		return "Diga answered and did not do it."
	case does == reads:
		return "No answer came back. Nothing is changed by it, so a second call is safe."
	case does == changes:
		return "It may have been done. Look before you try again: somebody may have changed it since."
	default:
		return "It may have been done. Look before you try again: a second call could do it twice."
	}
}
