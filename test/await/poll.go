package await

import (
	"errors"
	"time"
)

// Poll tries until it succeeds, the time is over, or ended is closed; nil never is.
// Unless it succeeds, it returns the error of the last try.
//
// A test polls only what does not tell that it changes: the state of another process,
// such as its port, its metrics or its locks. For all else there are channels, and
// the output in a [Transcript].
func Poll(within time.Duration, ended <-chan struct{}, try func() error) error {
	again := time.NewTicker(25 * time.Millisecond)
	defer again.Stop()
	over := time.After(within)
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-again.C:
		case <-ended:
			return err
		case <-over:
			return err
		}
	}
}

var errMoves = errors.New("it still moves")

// Rest returns once a count is above 0 and stays the same for a while: nothing tells
// that nothing happens any more. It reports false after [Patience].
func Rest(count func() int) bool {
	const while = 500 * time.Millisecond
	last, since := 0, time.Now()
	return Poll(Patience, nil, func() error {
		if now := count(); now != last {
			last, since = now, time.Now()
		}
		if last > 0 && time.Since(since) >= while {
			return nil
		}
		return errMoves
	}) == nil
}
