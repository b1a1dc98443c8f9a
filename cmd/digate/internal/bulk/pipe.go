package bulk

import (
	"os/signal"
	"syscall"
)

// ignoreBrokenPipe lets a run end in good order when nobody reads its results any
// more, as with `| head`. Rows may be under way.
func ignoreBrokenPipe() { signal.Ignore(syscall.SIGPIPE) }
