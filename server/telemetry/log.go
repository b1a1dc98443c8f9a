// Package telemetry reports what digate does to its operators: one access log line for
// each call, metrics, traces, the audit log, and request ids that connect these with what
// callers see. It reports names, never values.
package telemetry

import (
	"context"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/term"

	"github.com/digate/digate/server/logqueue"
)

const (
	// errorFlush is how long the log of an error waits for the line to be written,
	// because the process may be about to end.
	errorFlush = 100 * time.Millisecond
	// lastFlush is how long Close waits for the lines to be written.
	lastFlush = time.Second
)

// Log is a log that is written in the background. If its reader is gone or does not read,
// lines are lost and counted, but nothing blocks.
type Log struct {
	*slog.Logger
	// Level may be changed at any time.
	Level *slog.LevelVar
	queue *logqueue.Queue
}

// OpenLog returns a log that writes text to a terminal and JSON to any other writer.
// Close ends it.
func OpenLog(w io.Writer, level slog.Level) *Log {
	l := &Log{Level: new(slog.LevelVar)}
	l.Level.Set(level)
	l.queue = logqueue.New(w, func(lines uint64) {
		l.LogAttrs(context.Background(), slog.LevelWarn, "log lines were lost: the log was not read in time, or could not be written", slog.Uint64("lines", lines))
	})
	opts := &slog.HandlerOptions{Level: l.Level}
	h := newJSONLines(l.queue, opts)
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		h = slog.NewTextHandler(l.queue, opts)
	}
	l.Logger = slog.New(flushing{h, l.queue})
	return l
}

// Write writes a text between the lines, also in the background. It implements
// [io.Writer].
func (l *Log) Write(text []byte) (int, error) { return l.queue.Write(text) }

// Load returns how many lines were lost and are pending.
func (l *Log) Load() LogLoad { return LogLoad{l.queue.Lost(), l.queue.Pending(), logqueue.MaxPending} }

// LogLoad is the state of a log.
type LogLoad struct {
	// Lost is the number of lost lines.
	Lost uint64
	// Pending is the size of the lines that are not written yet, in bytes, and Limit its
	// maximum.
	Pending, Limit int
}

// Close writes pending lines, but only for a short time. Later lines are lost.
func (l *Log) Close() { l.queue.Close(lastFlush) }

// WatchLog adds the state of the log to the metrics. If load is nil, the values are 0. It
// may be called once.
func (t *Telemetry) WatchLog(load func() LogLoad) {
	if load == nil {
		load = func() LogLoad { return LogLoad{} }
	}
	gauge := func(name, help string, value func(LogLoad) int) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return float64(value(load())) })
	}
	t.registry.MustRegister(
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "digate_log_lines_lost_total", Help: "Log lines that were lost because they were not read in time, or could not be written.",
		}, func() float64 { return float64(load().Lost) }),
		gauge("digate_log_pending_bytes", "Size of the log lines that wait to be written.", func(l LogLoad) int { return l.Pending }),
		gauge("digate_log_pending_limit_bytes", "Maximum size of the lines that may wait; further lines are lost.", func(l LogLoad) int { return l.Limit }),
	)
}

// flushing is a handler that waits briefly until an error is written.
type flushing struct {
	slog.Handler
	queue *logqueue.Queue
}

func (h flushing) Handle(ctx context.Context, r slog.Record) error {
	err := h.Handler.Handle(ctx, r)
	if r.Level >= slog.LevelError {
		h.queue.Flush(errorFlush)
	}
	return err
}

func (h flushing) WithAttrs(attrs []slog.Attr) slog.Handler {
	return flushing{h.Handler.WithAttrs(attrs), h.queue}
}

func (h flushing) WithGroup(name string) slog.Handler {
	return flushing{h.Handler.WithGroup(name), h.queue}
}
