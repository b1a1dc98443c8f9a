// Package logqueue writes a log in the background, so that the reader of the log cannot
// block or slow down the work that is logged.
package logqueue

import (
	"bytes"
	"io"
	"sync"
	"time"
)

const (
	// MaxPending is the maximum size of the lines that wait to be written, in bytes.
	MaxPending = 4 << 20
	// maxKept is the maximum size of a buffer that is reused, in bytes.
	maxKept = 256 << 10
	// linger is how long the first line waits for others, so that one write writes all of
	// them. A killed process loses the lines of this time.
	linger = 10 * time.Millisecond
	// reportEvery is the shortest time between two reports of lost lines.
	reportEvery = time.Second
)

// Queue is a writer that never waits. It accepts whole lines. Lines are lost if the queue
// is full or they cannot be written. It counts lost lines.
type Queue struct {
	w        io.Writer
	onLost   func(lines uint64)
	wake     chan struct{} // has a value when lines are pending
	hurry    chan struct{} // has a value when a flush waits
	stopped  chan struct{} // closed when the writer must end
	finished chan struct{} // closed when the writer has ended

	mu      sync.Mutex
	pending []byte
	spare   []byte
	// accepted and written count bytes. They are equal if no line is waiting.
	accepted, written uint64
	// progress is closed at the end of each write.
	progress chan struct{}
	// writing is when the current write began, or zero.
	writing        time.Time
	lost, reported uint64 // lines
	closed         bool
}

// New returns a queue that writes to w. It calls onLost, which may be nil, with the
// number of lines lost since the last call. onLost may write to the queue.
func New(w io.Writer, onLost func(lines uint64)) *Queue {
	q := &Queue{
		w: w, onLost: onLost,
		wake: make(chan struct{}, 1), hurry: make(chan struct{}, 1),
		stopped: make(chan struct{}), finished: make(chan struct{}),
		progress: make(chan struct{}),
	}
	go q.run()
	return q
}

// Write accepts lines. It never waits and never fails: lines that do not fit are lost. It
// implements [io.Writer].
func (q *Queue) Write(lines []byte) (int, error) {
	q.Put(lines)
	return len(lines), nil
}

// Put takes lines as Write does, and reports whether it took them.
func (q *Queue) Put(lines []byte) bool {
	q.mu.Lock()
	if q.closed || len(q.pending)+len(lines) > MaxPending {
		q.lost += countLines(lines)
		q.mu.Unlock()
		return false
	}
	first := len(q.pending) == 0
	q.pending = append(q.pending, lines...)
	q.accepted += uint64(len(lines))
	q.mu.Unlock()
	if first {
		notify(q.wake)
	}
	return true
}

// Pending returns the bytes that wait for the writer.
func (q *Queue) Pending() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.pending)
}

// Lost returns how many lines were lost so far.
func (q *Queue) Lost() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.lost
}

// Flush waits until the lines taken so far are written or lost, for at most the
// timeout. It reports whether they are. It does not wait for a write that has taken longer
// than the timeout already, so that only the first flush pays for a reader that
// does not read.
func (q *Queue) Flush(timeout time.Duration) bool {
	q.mu.Lock()
	target := q.accepted
	stuck := !q.writing.IsZero() && time.Since(q.writing) > timeout
	q.mu.Unlock()
	if stuck {
		return false
	}
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	for {
		q.mu.Lock()
		done, progress := q.written >= target, q.progress
		q.mu.Unlock()
		if done {
			return true
		}
		notify(q.hurry)
		select {
		case <-progress:
		case <-timer.C:
			return false
		}
	}
}

// Close flushes for at most the timeout and ends the queue. Later lines are
// lost.
func (q *Queue) Close(timeout time.Duration) {
	end := time.Now().Add(timeout)
	q.Flush(timeout)
	q.report(time.Time{}) // the last lines may tell of lost ones
	q.mu.Lock()
	closed := q.closed
	q.closed = true
	q.mu.Unlock()
	if closed {
		return
	}
	close(q.stopped)
	timer := time.NewTimer(max(time.Until(end), 0))
	defer timer.Stop()
	select {
	case <-q.finished:
	case <-timer.C:
	}
}

func (q *Queue) run() {
	defer close(q.finished)
	var reported time.Time
	for {
		select {
		case <-q.wake:
		case <-q.stopped:
			q.writePending()
			return
		}
		timer := time.NewTimer(linger)
		select {
		case <-timer.C:
		case <-q.hurry:
		case <-q.stopped:
		}
		timer.Stop()
		if q.writePending() {
			reported = q.report(reported)
		}
	}
}

// writePending writes the pending lines and reports whether it wrote them all.
func (q *Queue) writePending() bool {
	q.mu.Lock()
	lines := q.pending
	if len(lines) == 0 {
		q.mu.Unlock()
		return true
	}
	q.pending, q.spare = q.spare[:0], nil
	q.writing = time.Now()
	q.mu.Unlock()
	n, err := q.w.Write(lines)
	q.mu.Lock()
	defer q.mu.Unlock()
	if err != nil {
		q.lost += countLines(lines[min(n, len(lines)):])
	}
	q.written += uint64(len(lines))
	q.writing = time.Time{}
	if cap(lines) <= maxKept {
		q.spare = lines
	}
	close(q.progress)
	q.progress = make(chan struct{})
	return err == nil
}

// report tells of the lines lost since the last report, unless that was a short
// time ago. It returns the time of the last report.
func (q *Queue) report(last time.Time) time.Time {
	if q.onLost == nil || time.Since(last) < reportEvery {
		return last
	}
	q.mu.Lock()
	lines := q.lost - q.reported
	q.reported = q.lost
	q.mu.Unlock()
	if lines == 0 {
		return last
	}
	q.onLost(lines)
	return time.Now()
}

func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func countLines(text []byte) uint64 {
	n := uint64(bytes.Count(text, []byte{'\n'}))
	if len(text) > 0 && text[len(text)-1] != '\n' {
		n++
	}
	return n
}
