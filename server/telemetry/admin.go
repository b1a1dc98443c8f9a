package telemetry

import (
	"log/slog"
	"net/http"
)

// AdminMiddleware writes a line for each request of the admin listener that is refused,
// within the bound of the lines about strangers: anybody may send such requests. The
// line names neither path nor host, because the client chose them.
func (t *Telemetry) AdminMiddleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sw := &statusWriter{ResponseWriter: w}
		next.ServeHTTP(sw, r)
		if sw.status >= 400 && sw.status < 500 && t.mayLogStranger() {
			t.log.LogAttrs(r.Context(), slog.LevelWarn, "a request of the admin listener was refused", slog.Int("http_status", sw.status))
		}
	})
}
