package abuse

import (
	"context"
	"sync"
)

// defaultWindow is the size of a window in bytes, as long as nobody says otherwise.
const defaultWindow = 65535

// windows are how many bytes the server takes on a connection, and on the stream that
// was begun last.
type windows struct {
	mu                          sync.Mutex
	connection, stream, initial int
	id                          uint32
	more                        chan struct{} // has a value when there is more
}

func newWindows() windows {
	return windows{connection: defaultWindow, initial: defaultWindow, more: make(chan struct{}, 1)}
}

// begin begins a stream.
func (w *windows) begin(id uint32) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.id, w.stream = id, w.initial
}

// set sets the window that a stream begins with.
func (w *windows) set(initial int) {
	w.mu.Lock()
	w.stream += initial - w.initial
	w.initial = initial
	w.mu.Unlock()
	w.signal()
}

// add makes the window of a stream larger, or of the connection for the stream 0.
func (w *windows) add(id uint32, n int) {
	w.mu.Lock()
	switch id {
	case 0:
		w.connection += n
	case w.id:
		w.stream += n
	}
	w.mu.Unlock()
	w.signal()
}

func (w *windows) signal() {
	select {
	case w.more <- struct{}{}:
	default:
	}
}

// take waits until the server takes n bytes more, and reports whether it does.
func (w *windows) take(ctx context.Context, gone <-chan struct{}, n int) bool {
	for {
		w.mu.Lock()
		ok := w.connection >= n && w.stream >= n
		if ok {
			w.connection -= n
			w.stream -= n
		}
		w.mu.Unlock()
		if ok {
			return true
		}
		select {
		case <-w.more:
		case <-gone:
			return false
		case <-ctx.Done():
			return false
		}
	}
}
