package server

import (
	"bytes"
	"log/slog"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// failing is a listener that accepts nothing.
type failing struct {
	net.Listener

	err error
}

func (l failing) Accept() (net.Conn, error) { return nil, l.err }

func TestWatchedListener_NothingCanBeAccepted_IsLoggedOnceAMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		l := &watchedListener{
			Listener: failing{err: &net.OpError{Op: "accept", Net: "tcp", Err: os.NewSyscallError("accept4", syscall.EMFILE)}},
			name:     "rest", log: slog.New(slog.NewTextHandler(&log, nil)),
		}
		for range 3 {
			for range 50 {
				if _, err := l.Accept(); err == nil {
					t.Fatal("accepted")
				}
				time.Sleep(acceptComplaints / 50)
			}
		}
		if n := strings.Count(log.String(), `level=ERROR msg="connections cannot be accepted" listener=rest cause="too many open files"`); n != 3 {
			t.Errorf("%d lines in three minutes: %s", n, &log)
		}
	})
}

func TestWatchedListener_IsClosed_LogsNothing(t *testing.T) {
	t.Parallel()
	l := &watchedListener{Listener: failing{err: &net.OpError{Op: "accept", Err: net.ErrClosed}}}
	if _, err := l.Accept(); err == nil {
		t.Error("accepted")
	}
}
