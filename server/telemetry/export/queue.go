package export

import (
	"context"
	"log/slog"
	"sync"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// complainEvery is how often the log says that spans are lost.
const complainEvery = time.Minute

// queue holds the spans that ended until they are sent, in batches. It implements
// [sdktrace.SpanProcessor]. The SDK's own processor does not tell how many spans it lost,
// and its end waits for an export that hangs.
type queue struct {
	to     sdktrace.SpanExporter
	batch  Batch
	spans  chan sdktrace.ReadOnlySpan
	counts *counts
	log    *slog.Logger

	ending   chan struct{} // closed when the queue takes no more
	ended    chan struct{}
	once     sync.Once
	ctx      context.Context // of the exports
	cancel   context.CancelFunc
	told     uint64    // lost spans that the log knows of
	lastTold time.Time // zero before the first
}

// Batch is how spans are sent.
type Batch struct {
	// Delay is the longest time that a span waits before it is sent, and Timeout that of
	// sending a batch.
	Delay, Timeout time.Duration
	// Queue is how many spans may wait, and Most how many are sent at once.
	Queue, Most int
}

func newQueue(t *Traces, to sdktrace.SpanExporter, c *counts, log *slog.Logger) *queue {
	q := &queue{
		to: to, batch: t.Batch, spans: make(chan sdktrace.ReadOnlySpan, t.Batch.Queue), counts: c, log: log,
		ending: make(chan struct{}), ended: make(chan struct{}),
	}
	q.ctx, q.cancel = context.WithCancel(context.Background())
	go q.run()
	return q
}

// OnStart implements [sdktrace.SpanProcessor].
func (*queue) OnStart(context.Context, sdktrace.ReadWriteSpan) {}

// OnEnd puts a span into the queue, or counts it as lost. It never waits.
func (q *queue) OnEnd(s sdktrace.ReadOnlySpan) {
	if !s.SpanContext().IsSampled() {
		return
	}
	select {
	case <-q.ending:
	default:
		select {
		case q.spans <- s:
			return
		default:
		}
	}
	q.counts.full.Add(1)
}

// run sends batches until the queue ends, and then what is left.
func (q *queue) run() {
	defer close(q.ended)
	delay := time.NewTicker(q.batch.Delay)
	defer delay.Stop()
	batch := make([]sdktrace.ReadOnlySpan, 0, q.batch.Most)
	flush := func() {
		q.send(batch)
		clear(batch)
		batch = batch[:0]
		q.complain(time.Now(), complainEvery)
	}
	for {
		select {
		case s := <-q.spans:
			if batch = append(batch, s); len(batch) == cap(batch) {
				flush()
			}
		case <-delay.C:
			flush()
		case <-q.ending:
			for len(q.spans) > 0 {
				if batch = append(batch, <-q.spans); len(batch) == cap(batch) {
					flush()
				}
			}
			flush()
			q.complain(time.Now(), 0)
			return
		}
	}
}

// send sends a batch.
func (q *queue) send(batch []sdktrace.ReadOnlySpan) {
	if len(batch) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(q.ctx, q.batch.Timeout)
	defer cancel()
	refused, err := took(len(batch), q.to.ExportSpans(ctx, batch))
	q.counts.exported.Add(uint64(len(batch) - refused))
	q.counts.failed.Add(uint64(refused))
	if err != nil && q.lastTold.IsZero() {
		q.log.LogAttrs(ctx, slog.LevelWarn, "the collector of traces did not take spans", slog.Int("spans", refused), slog.String("cause", describe(err)))
		q.told, q.lastTold = q.lost(), time.Now()
	}
}

func (q *queue) lost() uint64 { return q.counts.full.Load() + q.counts.failed.Load() }

// complain logs how many spans were lost since the last such line, unless that line is
// younger than every.
func (q *queue) complain(now time.Time, every time.Duration) {
	lost := q.lost()
	if lost == q.told || now.Sub(q.lastTold) < every {
		return
	}
	q.log.LogAttrs(q.ctx, slog.LevelWarn, "spans were lost: the collector of traces did not take them in time", slog.Uint64("spans", lost-q.told))
	q.told, q.lastTold = lost, now
}

// ForceFlush implements [sdktrace.SpanProcessor]. Nobody asks for it.
func (*queue) ForceFlush(context.Context) error { return nil }

// Shutdown implements [sdktrace.SpanProcessor]: it sends what is left until the context
// ends. Nothing runs any more when it returns.
func (q *queue) Shutdown(ctx context.Context) error {
	q.once.Do(func() { close(q.ending) })
	defer q.cancel()
	select {
	case <-q.ended:
	case <-ctx.Done():
		q.cancel()
		<-q.ended
	}
	return nil
}
