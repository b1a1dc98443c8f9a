package telemetry

import (
	"context"
	"log/slog"
	"strings"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/exchange"
)

// Inner observes a call to the vendor that is no call of a client's by itself: a
// copy of a bulk stream, or one that its caller left. What is which of them.
func (t *Telemetry) Inner(ctx context.Context, method, what string, ex *exchange.Exchange, err error) {
	c := &call{face: faceInner, method: t.label(method), exchange: ex}
	c.conclude(err)
	t.metrics.inner.WithLabelValues(what, c.code.String(), c.outcome.String()).Inc()
	t.metrics.exchanged(c)
	if len(ex.Drift) > 0 {
		t.noteDrift(ctx, c.method, ex.Drift)
	}
	level := slog.LevelDebug // a bulk stream would drown all else
	switch {
	case c.reason == apierror.ReasonInternalError:
		level = slog.LevelError
	case c.outcome == exchange.Unknown:
		level = slog.LevelWarn
	}
	if !t.log.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("what", what), slog.String("method", strings.TrimPrefix(c.method, "/")),
		slog.String("code", c.code.String()), slog.String("outcome", c.outcome.String()),
	}
	if c.reason != "" {
		attrs = append(attrs, slog.String("reason", c.reason))
	}
	t.log.LogAttrs(ctx, level, "inner call", append(attrs, exchanged(ex)...)...)
}
