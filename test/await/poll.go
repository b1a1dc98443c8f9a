package await

import "time"

// Poll tries until it succeeds. At the end of the time it returns the last error.
//
// A test polls only what tells nobody that it changed: the state of another process
// or of the operating system, such as a port, a lock, a table, a count of sockets.
// For all else there are channels and the lines of a [Transcript].
func Poll(within time.Duration, try func() error) error {
	again := time.NewTicker(25 * time.Millisecond)
	defer again.Stop()
	for deadline := time.Now().Add(within); ; <-again.C {
		err := try()
		if err == nil || time.Now().After(deadline) {
			return err
		}
	}
}
