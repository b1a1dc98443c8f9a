package telemetry

import (
	"context"
	"log/slog"
	"net"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/digate/digate/server/certs"
	"github.com/digate/digate/server/handshake"
)

// tlsMetrics are the metrics of TLS.
type tlsMetrics struct {
	sides      *sides
	handshakes *prometheus.CounterVec
	reloads    *prometheus.CounterVec
}

// newTLSMetrics returns the metrics and registers them.
func newTLSMetrics(r prometheus.Registerer) tlsMetrics {
	m := tlsMetrics{
		sides: new(sides),
		handshakes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "digate_tls_handshakes_total", Help: "TLS handshakes of callers, by result.",
		}, []string{"listener", "result"}),
		reloads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "digate_tls_reloads_total", Help: "Changes of the files of certificates, keys and authorities, by result.",
		}, []string{"side", "result"}),
	}
	r.MustRegister(m.handshakes, m.reloads, m.sides)
	return m
}

// WatchHandshakes adds the handshakes of a listener to the metrics, with a counter for
// every result from the start.
func (t *Telemetry) WatchHandshakes(listener string) {
	for _, result := range handshake.Results {
		t.tls.handshakes.WithLabelValues(listener, string(result))
	}
}

// HandshakeEnded counts a handshake. It logs a failed one only at the level DEBUG:
// strangers could fill the log.
func (t *Telemetry) HandshakeEnded(listener string, result handshake.Result, peer net.Addr, err error) {
	t.tls.handshakes.WithLabelValues(listener, string(result)).Inc()
	if err == nil || !t.log.Enabled(context.Background(), slog.LevelDebug) {
		return
	}
	t.log.LogAttrs(context.Background(), slog.LevelDebug, "a TLS handshake failed", slog.String("listener", listener),
		slog.String("result", string(result)), slog.String("peer", peer.String()), slog.String("cause", brief(err.Error())))
}

// The results of a reload.
const (
	reloadTaken   = "taken"
	reloadRefused = "refused"
)

// CertificatesTaken counts and logs that new certificates are in use.
func (t *Telemetry) CertificatesTaken(side string, m *certs.Material) {
	t.tls.reloads.WithLabelValues(side, reloadTaken).Inc()
	attrs := []slog.Attr{slog.String("side", side)}
	if m.Certificate != nil {
		attrs = append(attrs, slog.Time("not_after", m.NotAfter()))
	}
	t.log.LogAttrs(context.Background(), slog.LevelInfo, "new certificates are in use", attrs...)
}

// CertificatesRefused counts and logs that changed certificate files cannot be used.
func (t *Telemetry) CertificatesRefused(side string, err error) {
	t.tls.reloads.WithLabelValues(side, reloadRefused).Inc()
	t.log.LogAttrs(context.Background(), slog.LevelError, "new certificates were refused, and those from before go on",
		slog.String("side", side), slog.String("cause", brief(err.Error())))
}

// WatchCertificates adds the state of a side's certificates to the metrics. It may be
// called once for each side.
func (t *Telemetry) WatchCertificates(side string, w *certs.Watch) {
	for _, result := range []string{reloadTaken, reloadRefused} {
		t.tls.reloads.WithLabelValues(side, result) // so that the first refusal is an increase
	}
	t.tls.sides.watches.Store(side, w)
}

// sides are the certificates of each side, by the side's name. Their state is read at
// each scrape.
type sides struct{ watches sync.Map } // of *certs.Watch

var (
	certificateEnd = prometheus.NewDesc("digate_tls_certificate_not_after_timestamp_seconds", "Expiry of the certificate in use.", []string{"side"}, nil)
	reloadStale    = prometheus.NewDesc("digate_tls_reload_refused", "1 while the files are refused and their previous content is in use.", []string{"side"}, nil)
)

// Describe implements [prometheus.Collector].
func (*sides) Describe(to chan<- *prometheus.Desc) {
	to <- certificateEnd
	to <- reloadStale
}

// Collect implements [prometheus.Collector].
func (s *sides) Collect(to chan<- prometheus.Metric) {
	for side, w := range s.watches.Range {
		side, w := side.(string), w.(*certs.Watch)
		stale := 0.0
		if w.Stale() {
			stale = 1
		}
		to <- prometheus.MustNewConstMetric(reloadStale, prometheus.GaugeValue, stale, side)
		if end := w.Current().NotAfter(); !end.IsZero() {
			to <- prometheus.MustNewConstMetric(certificateEnd, prometheus.GaugeValue, float64(end.Unix()), side)
		}
	}
}
