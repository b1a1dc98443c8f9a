package await

import (
	"errors"
	"time"
)

// Poll calls try until it succeeds, the time is over, or ended is closed. Then it
// returns the last error. A nil ended is never closed.
//
// A test polls only for a change that no channel and no line of a [Transcript] tells:
// in the state of another process, such as its port, its metrics or its locks.
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

// Rest waits until a count is above 0 and stays the same for a while, and reports
// whether it does within [Patience].
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
