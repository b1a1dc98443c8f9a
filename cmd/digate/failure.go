package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/exchange"
)

// fail says why a call failed and returns the error that ends the process with
// the code of its outcome.
func fail(w io.Writer, output string, err error) error {
	var unreachable errUnreachable
	if errors.As(err, &unreachable) {
		err = apierror.Unreachable(unreachable)
		report(w, output, err.(*apierror.Error), unreachable.Error())
		return exitError(exitNotSent)
	}
	e := apierror.FromError(err)
	report(w, output, e, e.Message)
	switch e.Outcome {
	case exchange.NotSent:
		return exitError(exitNotSent)
	case exchange.Rejected:
		return exitError(exitRejected)
	default:
		return exitError(exitUnknown)
	}
}

func report(w io.Writer, output string, e *apierror.Error, message string) {
	if output == "json" {
		type violation struct {
			Field       string `json:"field"`
			Description string `json:"description"`
		}
		out := struct {
			Code       string      `json:"code"`
			Reason     string      `json:"reason"`
			Outcome    string      `json:"outcome"`
			Message    string      `json:"message"`
			HTTPStatus int         `json:"http_status,omitempty"`
			Violations []violation `json:"violations,omitempty"`
		}{Code: e.Code.String(), Reason: e.Reason, Outcome: e.Outcome.String(), Message: message, HTTPStatus: e.HTTPStatus}
		for _, v := range e.Violations {
			out.Violations = append(out.Violations, violation{v.Field, v.Description})
		}
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		_ = enc.Encode(map[string]any{"error": out})
		return
	}
	fmt.Fprintf(w, "%s: %s\n", e.Outcome, message)
	for _, v := range e.Violations {
		fmt.Fprintf(w, "  %s: %s\n", v.Field, v.Description)
	}
	fmt.Fprintf(w, "  code %s, reason %s", e.Code, e.Reason)
	if e.HTTPStatus != 0 {
		fmt.Fprintf(w, ", HTTP %d from Diga", e.HTTPStatus)
	}
	fmt.Fprintf(w, "\n  %s\n", meaning(e.Outcome))
}

func meaning(o exchange.Outcome) string {
	switch o {
	case exchange.NotSent:
		return "Nothing was sent to Diga, so nothing was done."
	case exchange.Rejected:
		return "Diga answered and did not do it."
	default:
		return "It may have been done. Look before you try again: a second call could do it twice."
	}
}
