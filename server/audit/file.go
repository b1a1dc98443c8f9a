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
	// firstRetry and lastRetry are the shortest and the longest wait between two attempts
	// to write.
	firstRetry = 50 * time.Millisecond
	lastRetry  = time.Second
	// stall is how long a write may take before the audit log counts as failing: nobody
	// reads the pipe, or the disk does not respond.
	stall = time.Second
)

// Observer is told about the state of the audit log. It must be safe for concurrent use.
type Observer interface {
	// AuditFailing is called once when the audit log can no longer be written.
	AuditFailing(cause string)
	// AuditBack is called when it can be written again.
	AuditBack(failed time.Duration)
	// AuditLost is called with a number of lines that were lost.
	AuditLost(lines uint64)
}

// file is the destination of the lines. Only one goroutine writes to it. Other goroutines
// may use only the fields marked as shared.
type file struct {
	path     string // empty for standard output
	observer Observer
	// onReopen is called when the file is opened again because it was replaced or because
	// its reader was gone.
	onReopen func()

	f   *os.File
	was fs.FileInfo
	// cut is how much of the first line to write is already in the file.
	cut int

	reopen atomic.Bool   // shared
	hurry  chan struct{} // shared; has a value when an attempt should not wait
	closed chan struct{} // shared

	mu      sync.Mutex // protects the following fields, which are shared
	writing bool
	cause   string // why the file cannot be written; empty if it can
	since   time.Time
	open    *os.File // the same as f
}

// Write writes lines. It returns when all of them are written, or with an error when the
// audit log is closed. It implements [io.Writer].
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

// try writes lines, and returns those that were not completely written. The next attempt
// completes a partial line in the same file, or writes the whole line to another file.
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

// write writes to the file. It records a failure if the write takes too long.
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

// ensure opens the file unless it is open and the path still leads to it.
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

// use replaces the open file by another one and closes the previous one.
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

// openFile opens the file of an audit log. If the last line is incomplete because a
// process was killed, openFile ends that line. If nobody reads a pipe, openFile returns
// an error instead of waiting.
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

// endsWithLine reports whether the last byte of a file ends a line. It returns true if
// the file cannot be read.
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

// isUnread reports whether an error means that nobody reads the pipe yet.
func isUnread(err error) bool { return errors.Is(err, syscall.ENXIO) }

// describe returns the text of an error without the path.
func describe(err error) string {
	if isUnread(err) {
		return "nobody reads the pipe"
	}
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err.Error()
	}
	return err.Error()
}

// fails records why the file cannot be written, if that is still the case.
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

// works records that the file was written.
func (o *file) works() {
	o.mu.Lock()
	failed, since := o.cause != "", o.since
	o.cause = ""
	o.mu.Unlock()
	if failed {
		o.observer.AuditBack(time.Since(since))
	}
}

// failing returns why the file cannot be written, and since when. The cause is empty if
// the file can be written.
func (o *file) failing() (cause string, since time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.cause, o.since
}

// close ends the current write, if possible, and all waiting attempts.
func (o *file) close() {
	close(o.closed)
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.open != nil {
		_ = o.open.Close()
	}
}
