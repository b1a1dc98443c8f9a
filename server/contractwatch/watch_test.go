package contractwatch_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/digate/digate/server/contract/surface"
	"github.com/digate/digate/server/contractwatch"
)

const poor = `{"openapi": "3.1.0", "paths": {}}`

// watch runs a watch of what the handler serves until the document was compared n
// times, and returns its log and the last count.
func watch(t *testing.T, h http.HandlerFunc, n int) (log string, count map[surface.Class]int) {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var b bytes.Buffer
	w := &contractwatch.Watch{
		Source: contractwatch.Source{URL: srv.URL, UserAgent: "digate/test"}, Interval: time.Millisecond,
		Compare: contractwatch.Compare, Log: slog.New(slog.NewJSONHandler(&b, nil)),
		Changes: func(c map[surface.Class]int) {
			count = c
			if n--; n == 0 {
				cancel()
			}
		},
	}
	w.Run(ctx)
	return b.String(), count
}

func TestWatch_SameResult_IsLoggedOnce(t *testing.T) {
	t.Parallel()
	log, count := watch(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" || r.UserAgent() != "digate/test" {
			t.Errorf("headers %v", r.Header)
		}
		_, _ = io.WriteString(w, poor)
	}, 3)
	if strings.Count(log, "\n") != 1 || !strings.Contains(log, `"level":"WARN"`) || !strings.Contains(log, `"breaking CopyTemplate"`) || count[surface.Breaking] == 0 {
		t.Errorf("%v, %s", count, log)
	}
}

func TestWatch_AfterAFailure_GoesOnAndTellsOfBoth(t *testing.T) {
	t.Parallel()
	calls := 0
	log, _ := watch(t, func(w http.ResponseWriter, _ *http.Request) {
		if calls++; calls < 3 {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		_, _ = io.WriteString(w, poor)
	}, 1)
	if strings.Count(log, "\n") != 2 || !strings.Contains(log, "the response is HTTP 502") {
		t.Error(log)
	}
}

func TestWatch_EndOfTheContext_EndsAReadingUnderWay(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done() // ends with the connection
	}))
	t.Cleanup(srv.Close)
	var b bytes.Buffer
	w := &contractwatch.Watch{
		Source: contractwatch.Source{URL: srv.URL}, Interval: time.Hour, Compare: contractwatch.Compare, Log: slog.New(slog.NewTextHandler(&b, nil)),
		Changes: func(map[surface.Class]int) { t.Error("there was nothing to compare") },
	}
	w.Run(ctx)
	if b.Len() > 0 {
		t.Error(b.String())
	}
}

// A document can be made so that it takes long to compare. Nobody waits for that at the
// end.
func TestWatch_EndOfTheContext_WaitsForNoComparison(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, poor) }))
	t.Cleanup(srv.Close)
	ctx, cancel := context.WithCancel(t.Context())
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	var b bytes.Buffer
	w := &contractwatch.Watch{
		Source: contractwatch.Source{URL: srv.URL}, Interval: time.Hour, Log: slog.New(slog.NewTextHandler(&b, nil)),
		Compare: func([]byte) ([]surface.Finding, error) {
			cancel()
			<-release
			return nil, nil
		},
		Changes: func(map[surface.Class]int) { t.Error("the comparison was not over") },
	}
	w.Run(ctx)
	if b.Len() > 0 {
		t.Error(b.String())
	}
}

func TestRead_LargeDocument_IsRefused(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(bytes.Repeat([]byte(" "), surface.MaxDocument+1))
	}))
	t.Cleanup(srv.Close)
	if _, err := (contractwatch.Source{URL: srv.URL}).Read(t.Context()); err == nil || !strings.Contains(err.Error(), "more than 8388608 bytes") {
		t.Error(err)
	}
}
