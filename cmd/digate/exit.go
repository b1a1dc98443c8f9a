package main

import "fmt"

// The exit codes. Those of a failed call say what may be concluded, so that a
// script can tell whether it may try again.
const (
	exitDone     = 0
	exitFailed   = 1
	exitUsage    = 2
	exitNotSent  = 3
	exitRejected = 4
	exitUnknown  = 5
)

const (
	exitHelp = exitCodes + "  5  UNKNOWN: it may have been done, so look before a second call\n"

	// exitHelpOfReads is for calls that change nothing.
	exitHelpOfReads = exitCodes + "  5  UNKNOWN: no answer came back, a second call is safe\n"

	exitCodes = `Exit codes:

  0  done
  1  failed before or after the call itself
  2  wrong usage
  3  NOT_SENT: nothing was done, a second call is safe
  4  REJECTED: Diga answered and did not do it
`
)

// exitError ends the process with a code of its own; what there was to say has
// been said.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit code %d", int(e)) }
