package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/digate/digate/server/accounts"
)

// WatchQuotas adds the quotas of the file of accounts to the metrics. load returns those
// of the version in use. It may be called once.
func (t *Telemetry) WatchQuotas(load func() []accounts.QuotaLoad) {
	t.registry.MustRegister(quotasCollector{load})
}

var (
	quotaUsed    = newDesc("quota_used", "Requests that count for a quota of the accounts file: those of the last second, or the copies made today.", "of", "name", "quota")
	quotaLimit   = newDesc("quota_limit", "Maximum of requests for the quota, in this replica.", "of", "name", "quota")
	quotaWaiting = newDesc("quota_waiting", "Copies of bulk streams that wait for the quota; none waits for the next day.", "of", "name", "quota")
	quotaRefused = newDesc("quota_refused_total", "Requests that were refused because the quota was used up.", "of", "name", "quota")
)

// quotasCollector reads the quotas at each scrape.
type quotasCollector struct{ load func() []accounts.QuotaLoad }

// Describe implements [prometheus.Collector].
func (quotasCollector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{quotaUsed, quotaLimit, quotaWaiting, quotaRefused} {
		to <- d
	}
}

// Collect implements [prometheus.Collector].
func (c quotasCollector) Collect(to chan<- prometheus.Metric) {
	for _, q := range c.load() {
		for d, value := range map[*prometheus.Desc]float64{quotaUsed: q.Used, quotaLimit: q.Limit, quotaWaiting: float64(q.Waiting)} {
			to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, q.Of, q.Name, q.Quota)
		}
		to <- prometheus.MustNewConstMetric(quotaRefused, prometheus.CounterValue, float64(q.Refused), q.Of, q.Name, q.Quota)
	}
}
