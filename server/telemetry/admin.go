package telemetry

import (
	"log/slog"
	"net/http"
)

// LedgerRead writes a line for each request that lists records: who asked, as far as
// an address tells. The parameters are the client's own and are not in it.
func (t *Telemetry) LedgerRead(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if t.mayLogStranger() {
			t.log.LogAttrs(r.Context(), slog.LevelInfo, "records of the ledger were listed", slog.String("remote", r.RemoteAddr))
		}
		next.ServeHTTP(w, r)
	})
}

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
