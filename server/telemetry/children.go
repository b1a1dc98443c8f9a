package telemetry

import (
	"maps"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// children are the metrics of one vector that were used, by what decides on their
// labels: the labels of each are looked up once. The keys come from the contract and
// from lists of digate's own, so that there are few.
type children[K comparable, M any] struct {
	child func(K) M
	used  atomic.Pointer[map[K]M]
	mu    sync.Mutex // held while the map is replaced
}

// of returns the metric of a key. It may be called by many goroutines.
func (c *children[K, M]) of(key K) M {
	if used := c.used.Load(); used != nil {
		if m, ok := (*used)[key]; ok {
			return m
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	more := make(map[K]M)
	if used := c.used.Load(); used != nil {
		if m, ok := (*used)[key]; ok {
			return m
		}
		maps.Copy(more, *used)
	}
	more[key] = c.child(key)
	c.used.Store(&more)
	return more[key]
}

// counters returns the counters of a vector, whose labels are what label returns.
func counters[K comparable](v *prometheus.CounterVec, label func(K) []string) *children[K, prometheus.Counter] {
	return &children[K, prometheus.Counter]{child: func(key K) prometheus.Counter { return v.WithLabelValues(label(key)...) }}
}

// observers returns the histograms of a vector, whose labels are what label returns.
func observers[K comparable](v *prometheus.HistogramVec, label func(K) []string) *children[K, prometheus.Observer] {
	return &children[K, prometheus.Observer]{child: func(key K) prometheus.Observer { return v.WithLabelValues(label(key)...) }}
}
