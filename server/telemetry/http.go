package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/exchange"
)

// Middleware observes the requests of the REST side and writes one access log line for
// each, whether or not it became an RPC. It must be the outermost.
func (t *Telemetry) Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		of := &restCall{
			call: call{
				began: time.Now(), protocol: protocolREST, method: other, code: codes.OK,
				requestID: requestID(r.Header.Values(RequestIDHeader)), peer: r.RemoteAddr, request: r,
			},
			response: statusWriter{ResponseWriter: w, before: t.beforeResponse},
		}
		c, sw := &of.call, &of.response
		w.Header().Set(RequestIDHeader, c.requestID)
		ctx, ex := exchange.NewContext(r.Context())
		c.exchange = ex
		ctx = context.WithValue(ctx, callKey{}, c)
		defer func() {
			if p := recover(); p != nil {
				if p != http.ErrAbortHandler {
					t.log.LogAttrs(ctx, slog.LevelError, "panic in the REST side",
						slog.String(logRequestID, c.requestID),
						slog.String("type", fmt.Sprintf("%T", p)), slog.String("stack", string(debug.Stack())))
				}
				e := apierror.Internal(nil, unfinished(ex))
				c.conclude(e)
				if sw.status != 0 || p == http.ErrAbortHandler {
					t.finish(ctx, c)
					panic(http.ErrAbortHandler) // the response has begun, so it can only be cut
				}
				e.REST(nil).Write(sw)
			}
			c.httpStat = sw.status
			if c.method == other && c.code == codes.OK {
				c.outcome = exchange.NotApplicable // a page, or a request about the routes
			}
			t.metrics.http.of(sw.status).Inc()
			t.finish(ctx, c)
		}()
		next.ServeHTTP(sw, r.WithContext(ctx))
	})
}

// restCall is the record of a request, with its response.
type restCall struct {
	call     call
	response statusWriter
}

// BeforeResponse sets a function that is called with the header of each REST response
// before it is written. It must be called before the first request.
func (t *Telemetry) BeforeResponse(f func(http.Header)) { t.beforeResponse = f }

// statusWriter remembers the status of the response.
type statusWriter struct {
	http.ResponseWriter
	before func(http.Header) // may be nil
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.begin(status)
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(p []byte) (int, error) {
	w.begin(http.StatusOK)
	return w.ResponseWriter.Write(p)
}

// begin sets the status of the response if it has none.
func (w *statusWriter) begin(status int) {
	if w.status != 0 {
		return
	}
	w.status = status
	if w.before != nil {
		w.before(w.Header())
	}
}

// Status returns the status of the response, or 0 if it has none yet.
func (w *statusWriter) Status() int { return w.status }

// Unwrap gives [http.ResponseController] access to the connection.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
