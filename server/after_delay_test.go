package server

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"google.golang.org/grpc/health"

	"github.com/digate/digate/server/config"
)

// A part that failed leaves nothing for which a delay could wait.
func TestAfterDelay_ServerEndsByItself_EndsAtOnce(t *testing.T) {
	t.Parallel()
	s := &Server{cfg: config.Config{Limits: config.Limits{DrainDelay: time.Hour}}, health: health.NewServer(), log: slog.New(slog.DiscardHandler), drainCause: func() error { return nil }}
	for _, stop := range []func(context.CancelFunc){func(context.CancelFunc) {}, func(cancel context.CancelFunc) { cancel() }} {
		ctx, cancel := context.WithCancel(t.Context())
		served, end := s.afterDelay(ctx)
		stop(cancel)
		end()
		if served.Err() == nil {
			t.Error("it is served on")
		}
		cancel()
	}
}
