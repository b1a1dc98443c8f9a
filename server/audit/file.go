package audit

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// firstRetry and lastRetry are the shortest and the longest wait between two
	// attempts to write.
	firstRetry = 50 * time.Millisecond
	lastRetry  = time.Second
	// stall is how long a write may take before the audit log counts as one that cannot
	// be written: nobody reads the pipe, or the disk does not respond.
	stall = time.Second
)

// Observer is told what becomes of the audit log. It may be used by many goroutines.
type Observer interface {
	// AuditFailing is called once when the audit log can no longer be written.
	AuditFailing(cause string)
	// AuditBack is called when it can be written again.
	AuditBack(failed time.Duration)
	// AuditLost is called with a number of lines that were lost.
	AuditLost(lines uint64)
}

// file is where the lines go. It belongs to the one goroutine that writes, except for
// what is said to be for all.
type file struct {
	path     string // empty for standard output
	observer Observer
	// onReopen is called when the file is opened again because it is another one, or
	// because its reader was gone.
	onReopen func()

	f   *os.File
	was fs.FileInfo
	// cut is how much of the first line to write is in the file already.
	cut int

	reopen atomic.Bool   // for all
	hurry  chan struct{} // for all: has a value when an attempt should not wait
	closed chan struct{} // for all

	mu      sync.Mutex // of what follows, which is for all
	writing bool
	cause   string // why the file cannot be written, empty if it can
	since   time.Time
	open    *os.File // the same as f
}

// Write writes lines. It returns when all of them are written, or with an error when
// the audit log is closed. It implements [io.Writer].
func (o *file) Write(lines []byte) (int, error) {
	all := len(lines)
	for wait := firstRetry; ; wait = min(2*wait, lastRetry) {
		var err error
		if lines, err = o.try(lines); err == nil {
			o.works()
			return all, nil
		}
		o.fails(describe(err), func() bool { return true })
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-o.hurry:
			timer.Stop()
		case <-o.closed:
			timer.Stop()
			return all - len(lines), err
		}
	}
}

// try writes lines, and returns those that are not written whole. A line that was
// begun is completed by the next attempt, in another file from its beginning.
func (o *file) try(lines []byte) (rest []byte, err error) {
	if err := o.ensure(); err != nil {
		return lines, err
	}
	n, err := o.write(lines[o.cut:])
	n += o.cut
	if err == nil {
		o.cut = 0
		return nil, nil
	}
	whole := bytes.LastIndexByte(lines[:n], '\n') + 1
	o.cut = n - whole
	if o.path != "" && errors.Is(err, syscall.EPIPE) {
		o.use(nil, nil) // another reader gets whole lines
	}
	return lines[whole:], err
}

// write writes to the file, and notes if that takes too long.
func (o *file) write(lines []byte) (int, error) {
	o.setWriting(true)
	defer o.setWriting(false)
	slow := time.AfterFunc(stall, func() {
		o.fails("what is written is not taken: nobody reads, or the disk does not respond", func() bool { return o.writing })
	})
	defer slow.Stop()
	return o.f.Write(lines)
}

func (o *file) setWriting(is bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.writing = is
}

// ensure opens the file unless it is open, and still the one that the path names.
func (o *file) ensure() error {
	if o.path == "" {
		o.f = os.Stdout
		return nil
	}
	again := o.reopen.Swap(false)
	if o.f != nil && !again {
		if at, err := os.Stat(o.path); err == nil && os.SameFile(at, o.was) {
			return nil
		}
	}
	f, info, err := openFile(o.path)
	if err != nil {
		return err
	}
	if !again && o.was != nil {
		o.onReopen()
	}
	o.use(f, info)
	return nil
}

// use puts another open file in the place of the one before, which is closed.
func (o *file) use(f *os.File, info fs.FileInfo) {
	if o.f != nil {
		_ = o.f.Close()
	}
	o.f, o.cut = f, 0
	if f != nil {
		o.was = info
	}
	o.mu.Lock()
	o.open = f
	o.mu.Unlock()
}

// openFile opens the file of an audit log. What is cut off at its end is made a line
// of its own: the process that wrote it was killed. A pipe that nobody reads is an
// error, and not waited for.
func openFile(path string) (*os.File, fs.FileInfo, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|syscall.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil && info.Mode().IsRegular() && info.Size() > 0 && !endsWithLine(path, info.Size()) {
		_, err = f.WriteString("\n")
	}
	if err != nil {
		_ = f.Close()
		return nil, nil, err
	}
	return f, info, nil
}

// endsWithLine reports whether the last byte of a file ends a line. A file that may
// not be read is taken for one that does.
func endsWithLine(path string, size int64) bool {
	f, err := os.Open(path)
	if err != nil {
		return true
	}
	defer func() { _ = f.Close() }()
	var last [1]byte
	_, err = f.ReadAt(last[:], size-1)
	return err != nil && !errors.Is(err, io.EOF) || last[0] == '\n'
}

// isUnread reports whether an error is that of a pipe which nobody reads yet.
func isUnread(err error) bool { return errors.Is(err, syscall.ENXIO) }

// describe returns what went wrong, without the path.
func describe(err error) string {
	if isUnread(err) {
		return "nobody reads the pipe"
	}
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err.Error()
	}
	return err.Error()
}

// fails notes why the file cannot be written, if that is still so.
func (o *file) fails(cause string, still func() bool) {
	o.mu.Lock()
	if !still() {
		o.mu.Unlock()
		return
	}
	first := o.cause == ""
	o.cause = cause
	if first {
		o.since = time.Now()
	}
	o.mu.Unlock()
	if first {
		o.observer.AuditFailing(cause)
	}
}

// works notes that the file was written.
func (o *file) works() {
	o.mu.Lock()
	failed, since := o.cause != "", o.since
	o.cause = ""
	o.mu.Unlock()
	if failed {
		o.observer.AuditBack(time.Since(since))
	}
}

// failing returns why the file cannot be written, and since when; empty if it can.
func (o *file) failing() (cause string, since time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.cause, o.since
}

// close ends a write under way, if it can be ended, and every attempt that waits.
func (o *file) close() {
	close(o.closed)
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.open != nil {
		_ = o.open.Close()
	}
}
