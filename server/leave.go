package server

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// afterDelay returns a context that ends when the drain is to begin: --drain-delay
// after ctx. In between everything is served, and the server says that it is leaving.
// end ends the context at once.
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
			s.delay(served)
		case <-served.Done():
		}
	})
	return served, func() { cancel(); delay.Wait() }
}

// delay lets --drain-delay pass, unless somebody is in a hurry or ctx ends.
func (s *Server) delay(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.DrainDelay)
	defer cancel()
	hurried := ctx
	if s.hurry != nil {
		hurried = s.hurry(ctx)
	}
	s.leave()
	s.tellEnd("leaving", "delay", s.cfg.DrainDelay)
	<-hurried.Done()
}

// tellEnd tells the log and the supervisor of a step of the end: how long it may take,
// and what the end was caused by.
func (s *Server) tellEnd(step, name string, d time.Duration) {
	attrs := []any{name, d.String()}
	if cause := s.whyDrain(); cause != nil {
		attrs = append(attrs, "cause", cause.Error())
	}
	s.log.Info(step, attrs...)
	if s.supervisor != nil {
		s.supervisor.Stopping(fmt.Sprintf("%s, for %s at most", step, d))
	}
}

// leave tells those who watch the server to send it no more calls: readiness is 503
// and gRPC health NOT_SERVING. It may be called again.
func (s *Server) leave() {
	s.leaving.Store(true)
	s.health.Shutdown()
}

// sendAway has a connection end with the response that has this header, if the server is
// leaving. A client that keeps its connection for a next request would meet the end of
// that connection otherwise, and could not know whether that request arrived.
func (s *Server) sendAway(header http.Header) {
	if s.leaving.Load() {
		header.Set("Connection", "close") // in HTTP/2 a GOAWAY
	}
}
