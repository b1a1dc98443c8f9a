package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/digate/digate/cmd/digate/internal/term"
)

// The exit codes. For a failed call the code tells a script what may be
// concluded, and so whether a second call is safe.
const (
	ExitDone     = 0
	ExitFailed   = 1
	ExitUsage    = 2
	ExitNotSent  = 3
	ExitRejected = 4
	ExitUnknown  = 5
	// ExitFindings is that of a comparison that found what it was asked to fail on.
	ExitFindings = 6
	// ExitInterrupted is that of a command that Ctrl-C ended. A call that was under way has
	// the exit code of its outcome instead.
	ExitInterrupted = 130
)

const (
	// ExitHelp explains the exit codes of commands that change something.
	ExitHelp = exitCodes + "  5  UNKNOWN: it may have been done, so look before a second call\n"

	// ExitHelpOfReads explains the exit codes of commands that only read.
	ExitHelpOfReads = exitCodes + "  5  UNKNOWN: no response came back; a second call is safe\n"

	// ExitHelpOfLedger explains the exit codes of commands about another call.
	ExitHelpOfLedger = `Exit codes:

  0  done
  1  failed, or there is no record: nothing follows about the call, which may have been carried out
  2  wrong usage
`

	exitCodes = `Exit codes:

  0  done
  1  failed before or after the call itself
  2  wrong usage
  3  NOT_SENT: nothing was done, a second call is safe
  4  REJECTED: Diga refused it and did nothing
`
)

// SignalError is the cause of a context that a signal ended.
type SignalError struct{ os.Signal }

func (s SignalError) Error() string { return s.String() + " signal received" }

// Interrupted reports whether SIGINT ended a context, which a terminal sends for Ctrl-C.
func Interrupted(ctx context.Context) bool {
	s, ok := errors.AsType[SignalError](context.Cause(ctx))
	return ok && s.Signal == os.Interrupt
}

// ExitError ends the process with its code. The message for people was written
// before.
type ExitError int

func (e ExitError) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// ExitCode returns the exit code of a command that returned err. It writes the
// error, unless it is an [ExitError].
func ExitCode(w io.Writer, err error) int {
	var code ExitError
	switch {
	case err == nil:
		return ExitDone
	case errors.As(err, &code):
		return int(code)
	default:
		term.Complain(w, err)
		return ExitFailed
	}
}

// WrongUsage writes err and returns the error that ends the process as after
// wrong usage.
func WrongUsage(w io.Writer, err error) error {
	term.Complain(w, err)
	return ExitError(ExitUsage)
}
