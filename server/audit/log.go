package audit

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/digate/digate/server/logqueue"
)

const (
	// patience is how long a write waits for its first audit line to be written.
	patience = time.Second
	// lastFlush is how long Close waits for lines to be written.
	lastFlush = time.Second
)

// Log is an audit log. It is written in the background, so that its reader cannot delay
// calls. Only the first line of a write is waited for, if the settings require it. A Log
// is safe for concurrent use.
type Log struct {
	required bool
	observer Observer
	file     *file
	queue    *logqueue.Queue
	process  string
	writes   atomic.Uint64
	refused  atomic.Uint64
	close    sync.Once
}

// Open opens the audit log of the settings, which must name one. It fails if the file
// cannot be opened, but not if nobody reads a pipe yet or the disk is full. Close ends
// the log.
func Open(s Settings, version string, observer Observer) (*Log, error) {
	l := &Log{required: s.Required, observer: observer, process: rand.Text()[:12]}
	l.file = &file{observer: observer, onReopen: func() { l.put(l.event(eventReopened)) }, hurry: make(chan struct{}, 1), closed: make(chan struct{})}
	if s.Path != standardOutput {
		l.file.path = s.Path
		f, info, err := openFile(s.Path)
		switch {
		case err == nil:
			l.file.use(f, info)
		case !isUnread(err):
			return nil, fmt.Errorf("--audit-log: %w", err)
		}
	}
	l.queue = logqueue.New(l.file, l.lost)
	opened := l.event(eventOpened)
	opened.text("version", version)
	opened.name("required")
	opened = strconv.AppendBool(opened, s.Required)
	l.put(opened)
	l.queue.Flush(patience) // so that its health is known from the start
	return l, nil
}

// event returns the beginning of a line about the audit log itself.
func (l *Log) event(name string) line {
	e := newLine(name, time.Now())
	e.text("process", l.process)
	return e
}

func (l *Log) put(e line) bool { return l.queue.Put(e.end()) }

// lost writes a line about lost lines.
func (l *Log) lost(lines uint64) {
	e := l.event(eventLost)
	e.number("lines", int64(lines))
	l.put(e)
	l.observer.AuditLost(lines)
}

// Omitted writes a line about omitted lines about strangers.
func (l *Log) Omitted(lines int) {
	e := l.event(eventOmitted)
	e.number("lines", int64(lines))
	l.put(e)
}

// Required reports whether a write may only begin after its first line was written.
func (l *Log) Required() bool { return l.required }

// numbered returns the beginning of a line about a write.
func (l *Log) numbered(event string, number uint64) line {
	e := l.event(event)
	e.number("write", int64(number))
	return e
}

// Begin writes the first line of a write, and returns the number of the write. If it
// fails, the line was not written or may not have been, and the write must not be sent.
// The number is 0 if the line will never be written.
func (l *Log) Begin(ctx context.Context, e *Entry) (number uint64, err error) {
	defer func() {
		if err != nil {
			l.refused.Add(1)
		}
	}()
	if cause, _ := l.file.failing(); cause != "" {
		return 0, errors.New(cause)
	}
	number = l.writes.Add(1)
	begin := l.numbered(eventBegin, number)
	begin.write(e)
	if !l.put(begin) {
		return 0, errors.New("more lines wait to be written than fit")
	}
	wait := patience
	if deadline, ok := ctx.Deadline(); ok {
		wait = min(wait, time.Until(deadline))
	}
	if !l.queue.Flush(wait) {
		return number, errors.New("the line was not written in time")
	}
	return number, nil
}

// End writes the line about the end of a write. number is that of its first line, or 0 if
// there is none.
func (l *Log) End(number uint64, e *Entry) {
	if number == 0 {
		number = l.writes.Add(1)
	}
	end := l.numbered(eventEnd, number)
	end.write(e)
	end.result(e)
	l.put(end)
}

// State is the current state of an audit log.
type State struct {
	// Failing is why the log cannot be written, or empty. Since is when that began.
	Failing string
	Since   time.Time
	// Lost is the number of lost lines, and Refused the number of writes that were
	// refused because their first line could not be written.
	Lost, Refused uint64
	// Pending is the size of the lines that are not written yet, in bytes, and Limit its
	// maximum.
	Pending, Limit int
}

// State returns the current state.
func (l *Log) State() State {
	s := State{Lost: l.queue.Lost(), Refused: l.refused.Load(), Pending: l.queue.Pending(), Limit: logqueue.MaxPending}
	s.Failing, s.Since = l.file.failing()
	return s
}

// Reopen opens the file again, because another program may have renamed it.
func (l *Log) Reopen() {
	l.file.reopen.Store(true)
	l.put(l.event(eventReopened)) // the first line of the new file
	select {
	case l.file.hurry <- struct{}{}:
	default:
	}
}

// Close writes pending lines, but only for a short time. Later lines are lost.
func (l *Log) Close() {
	l.close.Do(func() {
		l.put(l.event(eventClosed))
		l.queue.Close(lastFlush)
		l.file.close()
	})
}
