package server

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// afterDelay returns a context that ends --drain-delay after ctx, when the drain begins.
// In between, the server still serves calls but reports that it is shutting down. Calling
// end ends the returned context at once.
func (s *Server) afterDelay(ctx context.Context) (served context.Context, end func()) {
	if s.cfg.DrainDelay == 0 {
		return ctx, func() {}
	}
	served, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var delay sync.WaitGroup
	delay.Go(func() {
		defer cancel()
		select {
		case <-ctx.Done():
			s.waitDrainDelay(served)
		case <-served.Done():
		}
	})
	return served, func() { cancel(); delay.Wait() }
}

// waitDrainDelay waits for --drain-delay. It returns early if the operator asks for that or ctx
// ends.
func (s *Server) waitDrainDelay(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.DrainDelay)
	defer cancel()
	hurried := ctx
	if s.hurry != nil {
		hurried = s.hurry(ctx)
	}
	s.leave()
	s.reportShutdown("leaving", "delay", s.cfg.DrainDelay)
	<-hurried.Done()
}

// reportShutdown reports a step of the shutdown to the log and the supervisor, with its maximum
// duration and the reason for the shutdown.
func (s *Server) reportShutdown(step, name string, d time.Duration) {
	attrs := []any{name, d.String()}
	if cause := s.drainCause(); cause != nil {
		attrs = append(attrs, "cause", cause.Error())
	}
	s.log.Info(step, attrs...)
	if s.supervisor != nil {
		s.supervisor.Stopping(fmt.Sprintf("%s, for %s at most", step, d))
	}
}

// leave makes readiness return 503 and gRPC health NOT_SERVING, so that load balancers
// send no more calls. It may be called repeatedly.
func (s *Server) leave() {
	s.leaving.Store(true)
	s.health.Shutdown()
}

// closeIfLeaving asks the client to close its connection after this response, if the server is
// shutting down. Otherwise the client could send its next request while the server closes
// the connection, and could not know whether that request arrived.
func (s *Server) closeIfLeaving(header http.Header) {
	if s.leaving.Load() {
		header.Set("Connection", "close") // HTTP/2 sends GOAWAY for it
	}
}
