package telemetry

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/digate/digate/server/ledger"
	"github.com/digate/digate/server/ledger/watch"
)

var _ watch.Observer = (*Telemetry)(nil)

// ledgerMetrics are the metrics of ledger operations.
type ledgerMetrics struct {
	seconds map[string]prometheus.Observer // by operation
	errors  *prometheus.CounterVec
	lost    prometheus.Counter
}

// newLedgerMetrics returns the metrics, registered. Every operation is there from the
// start, and so are its errors of every cause. A call to the ledger takes no longer
// than the call that it is for, which takes the longest time at most.
func newLedgerMetrics(r prometheus.Registerer, longest time.Duration) ledgerMetrics {
	seconds := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "digate_ledger_call_duration_seconds", Help: "Time of a call to the ledger.",
		Buckets: append([]float64{.0001, .00025, .0005}, buckets(longest)...),
	}, []string{"operation"})
	m := ledgerMetrics{
		seconds: make(map[string]prometheus.Observer),
		errors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "digate_ledger_errors_total", Help: "Calls to the ledger that failed; a refusal because of the records is not an error.",
		}, []string{"operation", "cause"}),
		lost: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "digate_ledger_lost_total", Help: "How often the ledger became unavailable.",
		}),
	}
	for _, operation := range watch.Operations {
		m.seconds[operation] = seconds.WithLabelValues(operation)
		for _, cause := range ledger.Causes {
			m.errors.WithLabelValues(operation, string(cause))
		}
	}
	r.MustRegister(seconds, m.errors, m.lost)
	return m
}

// LedgerCalled implements [watch.Observer].
func (t *Telemetry) LedgerCalled(ctx context.Context, operation string, took time.Duration, cause ledger.Cause) {
	exemplarOf(t.tracer.spanContext(ctx, nil)).observe(t.ledger.seconds[operation], took.Seconds())
	if cause != "" {
		t.ledger.errors.WithLabelValues(operation, string(cause)).Inc()
	}
}

// LedgerLost implements [watch.Observer]: it counts and logs the loss.
func (t *Telemetry) LedgerLost(cause ledger.Cause, err error) {
	t.ledger.lost.Inc()
	t.log.LogAttrs(context.Background(), slog.LevelError, "the ledger is lost: no call with a request id is sent until it is back",
		slog.String("cause", string(cause)), slog.String("error", brief(err.Error())))
}

// LedgerBack implements [watch.Observer]: it logs the return.
func (t *Telemetry) LedgerBack(cause ledger.Cause, lost time.Duration) {
	t.log.LogAttrs(context.Background(), slog.LevelInfo, "the ledger is back",
		slog.String("cause", string(cause)), slog.String("lost_for", lost.Round(time.Millisecond).String()))
}

// LedgerHealth returns the last known state of the ledger.
type LedgerHealth interface {
	Health() watch.Health
}

// WatchLedger adds the state of the ledger to the metrics. It may be called once.
func (t *Telemetry) WatchLedger(l LedgerHealth) { t.registry.MustRegister(ledgerCollector{l}) }

// ledgerCollector reads the last known state of the ledger at each scrape. It does not
// access the ledger.
type ledgerCollector struct{ ledger LedgerHealth }

func ledgerDesc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("digate_ledger_"+name, help, labels, nil)
}

var (
	ledgerUp      = ledgerDesc("up", "0 while the ledger is unavailable.")
	ledgerRecords = ledgerDesc("records", "Records of the whole ledger, which replicas share; at most 100,000 of each state are counted.", "state")
	ledgerDoubt   = ledgerDesc("oldest_doubt_seconds", "Age of the oldest call in doubt; 0 if there is none.")
	ledgerInUse   = ledgerDesc("connections_in_use", "Connections in use, to PostgreSQL or to the SQLite file for reading.")
	ledgerLimit   = ledgerDesc("connections_limit", "Maximum of connections to PostgreSQL, or to the SQLite file for reading; 0 for the in-memory ledger.")
	ledgerKept    = ledgerDesc("memory_records", "Records of the in-memory ledger; only with that ledger.")
	ledgerRoom    = ledgerDesc("memory_records_limit", "Maximum of records of the in-memory ledger (--ledger-memory-records); only with that ledger. One caller may have three times what is free.")
	ledgerRefused = ledgerDesc("memory_records_refused_total", "Calls that were refused because the in-memory ledger is full, or because their caller has its share; only with that ledger.", "bound")
	ledgerWaits   = ledgerDesc("connection_waits_total", "Calls to the ledger that waited for a connection.")
	ledgerWaited  = ledgerDesc("connection_wait_seconds_total", "Total time that calls to the ledger waited for a connection.")

	writesWaiting = ledgerDesc("writes_queued", "Changes of the ledger that wait for the write connection of the SQLite file; only with such a file.")
	writesTaken   = ledgerDesc("writes_total", "Changes of the ledger whose write to the SQLite file was started; only with such a file.")
	writesWaited  = ledgerDesc("write_wait_seconds_total", "Total time that these changes waited; only with an SQLite file.")
	writeBatches  = ledgerDesc("write_batches_total", "Transactions of these changes, with up to 256 changes each; only with an SQLite file.")
)

// Describe implements [prometheus.Collector].
func (ledgerCollector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		ledgerUp, ledgerRecords, ledgerDoubt, ledgerInUse, ledgerLimit, ledgerWaits, ledgerWaited,
		ledgerKept, ledgerRoom, ledgerRefused, writesWaiting, writesTaken, writesWaited, writeBatches,
	} {
		to <- d
	}
}

// Collect implements [prometheus.Collector]. It exports no numbers of records while these
// are unknown.
func (c ledgerCollector) Collect(to chan<- prometheus.Metric) {
	h := c.ledger.Health()
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	up := 1.0
	if h.Lost != "" {
		up = 0
	}
	gauge(ledgerUp, up)
	gauge(ledgerInUse, float64(h.Pool.InUse))
	gauge(ledgerLimit, float64(h.Pool.Limit))
	sum := func(d *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, value, labels...)
	}
	sum(ledgerWaits, float64(h.Pool.Waits))
	sum(ledgerWaited, h.Pool.Waited.Seconds())
	if w := h.Pool.Writes; w != nil {
		gauge(writesWaiting, float64(w.Waiting))
		sum(writesTaken, float64(w.Taken))
		sum(writesWaited, w.Waited.Seconds())
		sum(writeBatches, float64(w.Batches))
	}
	if room := h.Room; room.Limit > 0 {
		gauge(ledgerKept, float64(room.Records))
		gauge(ledgerRoom, float64(room.Limit))
		sum(ledgerRefused, float64(room.Full), "all")
		sum(ledgerRefused, float64(room.Share), "caller")
	}
	if h.LookedAt.IsZero() {
		return
	}
	for state := ledger.Claimed; state <= ledger.Unknown; state++ {
		gauge(ledgerRecords, float64(h.Stats.Records[state]), state.String())
	}
	gauge(ledgerDoubt, h.Stats.OldestDoubt.Seconds())
}
