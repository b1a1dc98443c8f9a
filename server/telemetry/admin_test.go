package telemetry

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Requests that anybody can send must not fill the log.
func TestAdminMiddleware_ManyRefusals_AreSampledAndCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := new(logReader)
		tel := New(slog.New(slog.NewJSONHandler(log, nil)), nil, time.Minute)
		h := tel.AdminMiddleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/" {
				w.WriteHeader(http.StatusMisdirectedRequest)
			}
		}))
		ask := func(path string) {
			h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
		}
		ask("/")
		for range 10 * strangerLines {
			ask("/x")
		}
		if n := strings.Count(log.text(), `"http_status":421`); n != strangerLines || strings.Contains(log.text(), `"http_status":200`) {
			t.Errorf("%d lines: %s", n, log.text())
		}
		wants(t, scrape(tel), "digate_log_lines_omitted_total 180")
	})
}
