package export

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/sdk/resource"
	collectormetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	metricspb "go.opentelemetry.io/proto/otlp/metrics/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"

	"github.com/digate/digate/server/tracing"
)

// push sends the metrics at intervals, and a last time at its end.
type push struct {
	every   time.Duration
	began   time.Time
	last    time.Time // of a push, before it the beginning
	of      *resource.Resource
	from    prometheus.Gatherer
	to      client
	counts  *counts
	log     *slog.Logger
	failing bool
	ending  chan struct{}
	ended   chan struct{}
	ctx     context.Context
	cancel  context.CancelFunc
}

func newPush(m *Metrics, of *resource.Resource, from prometheus.Gatherer, to client, c *counts, log *slog.Logger) *push {
	p := &push{
		every: m.Every, began: time.Now(), last: time.Now(), of: of, from: from, to: to, counts: c, log: log,
		ending: make(chan struct{}), ended: make(chan struct{}),
	}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	go p.run()
	return p
}

func (p *push) run() {
	defer close(p.ended)
	ticker := time.NewTicker(p.every)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			p.once()
		case <-p.ending:
			p.once()
			return
		}
	}
}

// once sends the metrics as they are now.
func (p *push) once() {
	ctx, cancel := context.WithTimeout(p.ctx, p.every)
	defer cancel()
	now := time.Now()
	families, _ := p.from.Gather() // what was gathered beside an error is right
	request := &collectormetrics.ExportMetricsServiceRequest{ResourceMetrics: []*metricspb.ResourceMetrics{{
		Resource: &resourcepb.Resource{Attributes: keyValues(p.of)}, SchemaUrl: p.of.SchemaURL(),
		ScopeMetrics: []*metricspb.ScopeMetrics{{Scope: scope(tracing.Scope), Metrics: converted(families, p.began, p.last, now)}},
	}}}
	p.last = now
	err := send(ctx, p.to, request, new(collectormetrics.ExportMetricsServiceResponse))
	if err == nil {
		p.counts.pushed.Add(1)
		p.failing = false
		return
	}
	p.counts.pushFailed.Add(1)
	if !p.failing {
		p.failing = true
		p.log.LogAttrs(ctx, slog.LevelWarn, "the collector of metrics did not take them", slog.String("cause", describe(err)))
	}
}

// close sends the metrics a last time, until the context ends. Nothing runs any more when
// it returns.
func (p *push) close(ctx context.Context) {
	close(p.ending)
	defer p.cancel()
	select {
	case <-p.ended:
	case <-ctx.Done():
		p.cancel()
		<-p.ended
	}
}
