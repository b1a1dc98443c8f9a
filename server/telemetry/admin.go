package telemetry

import (
	"log/slog"
	"net/http"
)

// LedgerRead logs each request that lists records, with the client's address. The
// parameters are not logged, because the client chose them.
func (t *Telemetry) LedgerRead(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if t.mayLogStranger() {
			t.log.LogAttrs(r.Context(), slog.LevelInfo, "records of the ledger were listed", slog.String("remote", r.RemoteAddr))
		}
		next.ServeHTTP(w, r)
	})
}

// AdminMiddleware logs each refused request to the admin listener, within the limit on
// lines about strangers: anybody may send such requests. The line has neither the path
// nor the host, because the client chose them.
func (t *Telemetry) AdminMiddleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sw := &statusWriter{ResponseWriter: w}
		next.ServeHTTP(sw, r)
		if sw.status >= 400 && sw.status < 500 && t.mayLogStranger() {
			t.log.LogAttrs(r.Context(), slog.LevelWarn, "a request of the admin listener was refused", slog.Int("http_status", sw.status))
		}
	})
}
