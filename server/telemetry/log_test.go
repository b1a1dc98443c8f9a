package telemetry

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

type logReader struct {
	mu   sync.Mutex
	got  bytes.Buffer
	err  error
	gate chan struct{}
}

func (r *logReader) Write(p []byte) (int, error) {
	if r.gate != nil {
		<-r.gate
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return 0, r.err
	}
	return r.got.Write(p)
}

func (r *logReader) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.got.String()
}

func TestLog_Error_IsWrittenWhenTheCallReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := new(logReader)
		l := OpenLog(r, slog.LevelInfo)
		defer l.Close()
		for name, log := range map[string]*slog.Logger{"plain": l.Logger, "attribute": l.With("a", 1), "group": l.WithGroup("g")} {
			log.Info("not yet " + name)
			if strings.Contains(r.text(), "not yet "+name) {
				t.Errorf("%s: a line that is no error was waited for", name)
			}
			log.Error("now " + name)
			if !strings.Contains(r.text(), "now "+name) {
				t.Errorf("%s: the error is not written: %q", name, r.text())
			}
		}
	})
}

func TestLog_NobodyReads_AnErrorWaitsForAMomentOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &logReader{gate: make(chan struct{})}
		l := OpenLog(r, slog.LevelInfo)
		began := time.Now()
		l.Error("stuck")
		if took := time.Since(began); took != errorFlush {
			t.Errorf("took %v", took)
		}
		began = time.Now()
		for range 10 {
			l.Error("stuck")
		}
		if took := time.Since(began); took > errorFlush {
			t.Errorf("ten more took %v", took)
		}
		began = time.Now()
		l.Close()
		if took := time.Since(began); took != lastFlush {
			t.Errorf("the end took %v", took)
		}
		close(r.gate)
	})
}

func TestLog_LinesLost_AreCountedAndToldOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &logReader{err: errors.New("gone")}
		l := OpenLog(r, slog.LevelInfo)
		l.Error("lost")
		if l.Load().Lost != 1 {
			t.Errorf("%d lost", l.Load().Lost)
		}
		r.mu.Lock()
		r.err = nil
		r.mu.Unlock()
		l.Close()
		if !strings.Contains(r.text(), `"level":"WARN"`) || !strings.Contains(r.text(), `"lines":1`) {
			t.Errorf("nothing tells of the lost line: %q", r.text())
		}
	})
}
