package client

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc/codes"

	"github.com/digate/digate/cmd/digate/internal/term"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/exchange"
)

// ReasonUnreachable is the reason of a call for which no digate was reached.
const ReasonUnreachable = "DIGATE_UNREACHABLE"

// Effect says what a call does if it succeeds. It decides what a second call
// would do.
type Effect int

const (
	Creates     Effect = iota // creates something new with each call
	CreatesOnce               // creates something new, once for each request id
	Changes                   // sets something to what a second call sets it to as well
	Reads                     // changes nothing
	Asks                      // asks about another call
	Settles                   // settles another call
)

// ofAnotherCall reports whether the call is about another call. Its own end then
// shows nothing of that call.
func (does Effect) ofAnotherCall() bool { return does == Asks || does == Settles }

// Fail reports why a call failed. It returns the error that ends the process
// with the exit code of the call's outcome. A call about another call has no
// outcome, whatever became of it: a script must not read the fate of the other
// call from it. look are the words of the command that shows what happened, if there
// is one.
func Fail(w io.Writer, output string, does Effect, err error, look ...string) error {
	var e *apierror.Error
	advice := ""
	if unreachable := asUnreachable(err); unreachable != nil {
		e = &apierror.Error{Code: codes.Unavailable, Reason: ReasonUnreachable, Outcome: exchange.NotSent, Message: unreachable.text}
		advice = unreachable.advice
	} else {
		e = apierror.FromError(err)
		if text, ok := plainWords(err); ok {
			e = e.WithMessage(text)
		}
		if e.Reason == apierror.ReasonAccountRequired {
			advice = "name it with --account"
		}
	}
	if does.ofAnotherCall() {
		e = e.WithoutOutcome()
	}
	if output == OutputJSON {
		reportJSON(w, e)
	} else {
		reportText(w, does, e, advice, look)
	}
	switch e.Outcome {
	case exchange.NotApplicable:
		return ExitError(ExitFailed)
	case exchange.Done: // but what was created cannot be shown
		return ExitError(ExitFailed)
	case exchange.NotSent:
		return ExitError(ExitNotSent)
	case exchange.Rejected:
		return ExitError(ExitRejected)
	default:
		return ExitError(ExitUnknown)
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
		// IntegrationIDs and ToolIDs name what was created, or may have been.
		IntegrationIDs []string `json:"integration_ids,omitempty"`
		ToolIDs        []string `json:"tool_ids,omitempty"`
	}
	out := failure{Code: code.Code(e.Code).String(), Reason: e.Reason, Outcome: e.Outcome.String(), Message: e.Message,
		HTTPStatus: e.HTTPStatus, RetryAfter: retryAfter(e), IntegrationIDs: e.IntegrationIDs, ToolIDs: e.ToolIDs}
	for _, v := range e.Violations {
		out.Violations = append(out.Violations, violation{v.Field, v.Description})
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(map[string]failure{"error": out}) // cannot fail: strings and numbers
	_, _ = io.WriteString(w, term.PrintableJSON(b.Bytes()))
}

func reportText(w io.Writer, does Effect, e *apierror.Error, advice string, look []string) {
	heading := e.Outcome.String()
	if e.Outcome == exchange.NotApplicable {
		heading = "failed"
	}
	fmt.Fprintf(w, "%s: %s\n", heading, term.Printable(e.Message))
	for _, v := range e.Violations {
		if line := v.Field + ": " + v.Description; line != e.Message { // the message quotes the first
			fmt.Fprintf(w, "  %s\n", term.Printable(line))
		}
	}
	if advice != "" {
		fmt.Fprintf(w, "  %s\n", advice)
	}
	fmt.Fprintf(w, "  code %s, reason %s", code.Code(e.Code), term.Printable(e.Reason))
	if e.HTTPStatus != 0 {
		fmt.Fprintf(w, ", HTTP %d from Diga", e.HTTPStatus)
	}
	if after := retryAfter(e); after != "" {
		fmt.Fprintf(w, ", retry after %s", after)
	}
	fmt.Fprintln(w)
	for _, id := range slices.Concat(e.IntegrationIDs, e.ToolIDs) {
		what := "may have created"
		if e.Outcome == exchange.Done {
			what = "created"
		}
		fmt.Fprintf(w, "  %s %s\n", what, term.Printable(id))
	}
	text, toLook := meaning(e, does)
	fmt.Fprintf(w, "  %s\n", text)
	if toLook && look != nil {
		fmt.Fprintf(w, "  -> %s\n", term.Printable(term.ShellLine(look...)))
	}
}

// retryAfter returns how long to wait before a second call. It is empty where
// the error names no such time.
func retryAfter(e *apierror.Error) string {
	if e.RetryAfter == nil {
		return ""
	}
	return e.RetryAfter.Round(time.Millisecond).String()
}

// meaning returns what a person may conclude from a failure, and reports whether it
// sends the person to look at what happened.
func meaning(e *apierror.Error, does Effect) (text string, toLook bool) {
	o := e.Outcome
	switch {
	case e.Reason == apierror.ReasonNoRecord:
		return "The call may have been made with another token or through a digate with another ledger, or its record may be gone. Look at what Diga has before you call again.", true
	case does == Asks:
		return "The question has no response, so this says nothing about the call. It may have been carried out.", false
	case e.Reason == apierror.ReasonNotResolvable:
		return "Nothing was settled. Look at what is recorded of the call with `digate ledger show`.", true
	case does == Settles && e.Code == codes.InvalidArgument:
		return "Nothing was settled.", false
	case does == Settles:
		return "This says nothing about the call, and it may have been settled all the same. Look with `digate ledger show`.", true
	case o == exchange.Done:
		return "An earlier call did it. This call only looked it up at Diga, and that failed.", false
	case does == CreatesOnce && e.Code == codes.Aborted:
		return "It is not sent again until somebody settles what happened: see `digate ledger show`, with the request id.", true
	case does == CreatesOnce && o == exchange.Unknown:
		return "It may have been done. A second call with the same --request-id is safe: it is not done twice. What became of it: see `digate ledger show`, with the request id.", true
	case does == CreatesOnce && o == exchange.NotSent:
		return "This call sent nothing to Diga. An earlier call with the same --request-id may have done it. A second call with the same --request-id is safe: it is not done twice.", false
	case o == exchange.NotSent:
		return "Nothing was sent to Diga, so nothing was done.", false
	case o == exchange.Rejected:
		return "Diga refused, and did not do it.", false
	case does == Reads:
		return "No response came back. Reading changes nothing, so a second call is safe.", false
	case does == Changes:
		return "It may have been done. Look before you try again: somebody may have changed it since.", true
	default:
		return "It may have been done. Look before you try again: a second call could do it twice.", true
	}
}
