package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/term"
	"github.com/digate/digate/internal/spelling"
	"github.com/digate/digate/server/apierror"
)

// explainCmd explains a reason of an error.
type explainCmd struct {
	Reason string `arg:"" optional:"" name:"reason" help:"The reason, such as OVERLOADED. Without one, all are listed."`
}

// Help is shown by --help.
func (explainCmd) Help() string {
	return `A failure of digate's has a reason: ErrorInfo.reason in gRPC, error_code in REST, reason
in the log. explain prints what happened and what to do, and with which codes, outcomes
and statuses the reason comes. Reasons of Diga's own are in Diga's documentation.`
}

// Run prints the explanation of a reason, or all reasons.
func (c *explainCmd) Run(std term.IO) error {
	reasons := apierror.Reasons()
	if c.Reason == "" {
		return listReasons(std.Out, reasons)
	}
	names := make([]string, len(reasons))
	for i, r := range reasons {
		if names[i] = r.Reason; strings.EqualFold(r.Reason, c.Reason) {
			return explainReason(std.Out, r)
		}
	}
	text := "digate has no reason " + term.Printable(c.Reason)
	if near, ok := spelling.Nearest(strings.ToUpper(c.Reason), names); ok {
		text += "; did you mean " + near + "?"
	} else {
		text += "; where the domain of the failure is " + apierror.DomainDiga + ", Diga gave it"
	}
	return client.WrongUsage(std.Err, errors.New(text))
}

func listReasons(w io.Writer, reasons []apierror.ReasonInfo) error {
	fields := make([][2]string, len(reasons))
	for i, r := range reasons {
		fields[i] = [2]string{r.Reason, plainText(r.Meaning)}
	}
	return term.WriteFields(w, fields)
}

func explainReason(w io.Writer, r apierror.ReasonInfo) error {
	fields := [][2]string{{"reason", r.Reason}, {"what happened", plainText(r.Meaning)}, {"what to do", plainText(r.Remedy)}}
	name := "comes as"
	for _, f := range r.Forms {
		fields, name = append(fields, [2]string{name, plainText(f)}), ""
	}
	if err := term.WriteFields(w, fields); err != nil {
		return err
	}
	_, err := fmt.Fprint(w, "\nNOT_SENT: nothing reached Diga. REJECTED: Diga did not do it. DONE: it was done. UNKNOWN: it may have been.\n")
	return err
}

// plainText removes Markdown from a text.
func plainText(text string) string { return strings.ReplaceAll(text, "`", "") }
