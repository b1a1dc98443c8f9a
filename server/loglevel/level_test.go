package loglevel_test

import (
	"bytes"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/digate/digate/server/loglevel"
)

// newLevel returns the level of a log that goes to the buffer.
func newLevel(setting slog.Level) (*loglevel.Level, *slog.Logger, *bytes.Buffer) {
	level, text := new(slog.LevelVar), new(bytes.Buffer)
	level.Set(setting)
	log := slog.New(slog.NewTextHandler(text, &slog.HandlerOptions{Level: level}))
	return loglevel.New(log, level), log, text
}

func ask(l *loglevel.Level, method, body string) (int, string) {
	w := httptest.NewRecorder()
	l.ServeHTTP(w, httptest.NewRequest(method, loglevel.Path, strings.NewReader(body)))
	return w.Code, strings.TrimSpace(w.Body.String())
}

func TestLevel_Set_SaysTheOldAndTheNewAndHolds(t *testing.T) {
	t.Parallel()
	l, log, text := newLevel(slog.LevelInfo)
	log.Debug("before")
	code, got := ask(l, "PUT", `{"level":"DEBUG"}`)
	if code != 200 || got != `{"level":"DEBUG","setting":"INFO","was":"INFO"}` {
		t.Errorf("%d, %s", code, got)
	}
	log.Debug("after")
	if code, got := ask(l, "GET", ""); code != 200 || got != `{"level":"DEBUG","setting":"INFO"}` {
		t.Errorf("%d, %s", code, got)
	}
	if s := text.String(); strings.Contains(s, "before\n") || !strings.Contains(s, "after") || !strings.Contains(s, "level_before=INFO level_now=DEBUG remote=192.0.2.1:1234") {
		t.Error(s)
	}
	if _, got = ask(l, "PUT", `{"level":"ERROR"}`); got != `{"level":"ERROR","setting":"INFO","was":"DEBUG"}` {
		t.Error(got)
	}
	if !strings.Contains(text.String(), "level_now=ERROR") {
		t.Error("nobody is told why the log is silent")
	}
}

func TestLevel_SetForATime_ReturnsByItself(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, _, text := newLevel(slog.LevelWarn)
		_, got := ask(l, "PUT", `{"level":"DEBUG","for":"10m"}`)
		if want := `"until":"` + time.Now().Add(10*time.Minute).UTC().Format(time.RFC3339) + `"`; !strings.Contains(got, want) {
			t.Errorf("%s lacks %s", got, want)
		}
		time.Sleep(5 * time.Minute)
		_, _ = ask(l, "PUT", `{"level":"INFO","for":"10m"}`) // the first time no longer counts
		time.Sleep(10*time.Minute - time.Second)
		synctest.Wait()
		if got := l.State().Level; got != "INFO" {
			t.Errorf("level %s before its time", got)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if got := l.State(); got.Level != "WARN" || got.Until != nil {
			t.Errorf("%+v", got)
		}
		if n := strings.Count(text.String(), "the log level was changed"); n != 3 {
			t.Errorf("said %d times", n)
		}
		_, _ = ask(l, "PUT", `{"level":"DEBUG","for":"1m"}`)
		_, _ = ask(l, "PUT", `{"level":"DEBUG"}`) // it stays
		_, _ = ask(l, "PUT", `{"level":"WARN","for":"1m"}`)
		if got := l.State(); got.Until != nil {
			t.Errorf("the setting ends: %+v", got)
		}
		_, _ = ask(l, "PUT", `{"level":"DEBUG","for":"1m"}`)
		l.Close() // or the test would not end
	})
}

func TestLevel_WrongRequest_ChangesNothing(t *testing.T) {
	t.Parallel()
	l, _, text := newLevel(slog.LevelInfo)
	for body, want := range map[string]int{
		"": 400, "DEBUG": 400, `{}`: 400, `{"level":"LOUD"}`: 400, `{"level":"DEBUG-4"}`: 400, `{"level":"DEBUG","x":1}`: 400, `{"level":"DEBUG"}{}`: 400,
		`{"level":"DEBUG","for":"x"}`: 400, `{"level":"DEBUG","for":"-1m"}`: 400, `{"level":"DEBUG","for":"25h"}`: 400,
		`{"level":"DEBUG"` + strings.Repeat(" ", 2000) + `}`: 413,
	} {
		if code, got := ask(l, "PUT", body); code != want {
			t.Errorf("%.40q: %d, %s", body, code, got)
		}
	}
	if got := l.State(); got.Level != "INFO" || text.Len() != 0 {
		t.Errorf("%+v, %s", got, text)
	}
}
