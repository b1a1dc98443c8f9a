package server

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/authn"
)

const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 30 * time.Second
	idleTimeout       = 2 * time.Minute
	// answerTime is what is left for writing an answer after the longest call.
	answerTime = 15 * time.Second
)

// newREST returns the REST side. Nothing stands in front of the routes that
// would clean or redirect a path, as http.ServeMux does.
func (s *Server) newREST(routes http.Handler) *http.Server {
	refuse := func(w http.ResponseWriter, r *http.Request, err error) {
		s.telemetry.Failed(r.Context(), "", err)
		apierror.FromError(err).REST(nil).Write(w)
	}
	return &http.Server{
		Handler:           s.telemetry.Middleware(authn.Middleware(s.authenticator, routes, refuse)),
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      readTimeout + s.cfg.UpstreamTimeout + answerTime,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderList,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
}
