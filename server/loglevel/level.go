// Package loglevel lets an operator change the log level while the server runs, for a
// limited time or until the process ends.
package loglevel

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Path is the path of the log level on the admin listener.
const Path = "/log-level"

const (
	// maxBody is the maximum size of a request's body, in bytes.
	maxBody = 1 << 10
	// maxFor is the longest time for which a level can be set.
	maxFor = 24 * time.Hour
)

// levels are the values of the setting.
var levels = []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError}

// Level is the level of a log. It is safe for concurrent use.
type Level struct {
	log     *slog.Logger
	level   *slog.LevelVar
	setting slog.Level

	mu    sync.Mutex
	back  *time.Timer // resets the level; may be nil
	until time.Time   // when the level is reset
}

// New returns the level of a log. Its current value is that of the setting.
func New(log *slog.Logger, level *slog.LevelVar) *Level {
	return &Level{log: log, level: level, setting: level.Level()}
}

// State is the current state of a level.
type State struct {
	Level   string `json:"level"`
	Setting string `json:"setting"`
	// Was is the level before a change. It is empty if there was none.
	Was string `json:"was,omitempty"`
	// Until is when the level returns to that of the setting, or nil if it stays.
	Until *time.Time `json:"until,omitempty"`
}

// State returns the current state.
func (l *Level) State() State {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state()
}

func (l *Level) state() State {
	s := State{Level: l.level.Level().String(), Setting: l.setting.String()}
	if l.back != nil {
		until := l.until.UTC()
		s.Until = &until
	}
	return s
}

// Set sets the level for a time or, if that is 0, until the process ends. by names who
// requested it. Set returns the new state with the previous level.
func (l *Level) Set(to slog.Level, during time.Duration, by string) State {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.back != nil {
		l.back.Stop()
		l.back = nil
	}
	if during > 0 && to != l.setting {
		l.until = time.Now().Add(during)
		var back *time.Timer
		back = time.AfterFunc(during, func() { l.reset(&back) })
		l.back = back
	}
	was := l.change(to, by)
	s := l.state()
	s.Was = was.String()
	return s
}

// reset resets the level, unless it was set again meanwhile.
func (l *Level) reset(of **time.Timer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.back != nil && l.back == *of {
		l.back = nil
		l.change(l.setting, "")
	}
}

// change changes the level and returns the previous one. The change is logged at the more
// verbose of the two levels, so it is logged unless both are ERROR.
func (l *Level) change(to slog.Level, by string) (was slog.Level) {
	was = l.level.Level()
	l.level.Set(min(was, to))
	attrs := []any{slog.String("level_before", was.String()), slog.String("level_now", to.String())}
	if by != "" {
		attrs = append(attrs, slog.String("remote", by))
	}
	if l.back != nil {
		attrs = append(attrs, slog.Time("until", l.until.UTC()))
	}
	l.log.Warn("the log level was changed", attrs...)
	l.level.Set(to)
	return was
}

// Close cancels a planned reset.
func (l *Level) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.back != nil {
		l.back.Stop()
		l.back = nil
	}
}

// ServeHTTP returns the level, and sets it for the method PUT.
func (l *Level) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s := l.State()
	if r.Method == http.MethodPut {
		to, during, err := parse(http.MaxBytesReader(w, r.Body, maxBody))
		if _, large := errors.AsType[*http.MaxBytesError](err); large {
			http.Error(w, fmt.Sprintf("the body is larger than %d bytes", maxBody), http.StatusRequestEntityTooLarge)
			return
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		s = l.Set(to, during, r.RemoteAddr)
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(s)
}

var errForm = errors.New(`the body must be {"level": "DEBUG", "for": "10m"}, and "for" may be left out`)

// parse parses the body of a request.
func parse(body io.Reader) (to slog.Level, during time.Duration, err error) {
	text, err := io.ReadAll(body)
	if err != nil {
		return 0, 0, err
	}
	var asked struct {
		Level string `json:"level"`
		For   string `json:"for"`
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if d.Decode(&asked) != nil || d.Decode(new(any)) != io.EOF {
		return 0, 0, errForm
	}
	if to.UnmarshalText([]byte(asked.Level)) != nil || !slices.Contains(levels, to) {
		return 0, 0, errors.New("level must be DEBUG, INFO, WARN or ERROR")
	}
	if asked.For != "" {
		if during, err = time.ParseDuration(asked.For); err != nil || during <= 0 || during > maxFor {
			return 0, 0, errors.New("for must be a duration of at most 24h, such as 10m")
		}
	}
	return to, during, nil
}
