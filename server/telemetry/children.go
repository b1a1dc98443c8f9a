package telemetry

import (
	"maps"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// children caches the metrics of one vector, so that the labels of each are looked up
// only once. Its keys, which determine the labels, come from the contract and from
// digate's own lists, so there are few.
type children[K comparable, M any] struct {
	child func(K) M
	used  atomic.Pointer[map[K]M]
	mu    sync.Mutex // held while the map is replaced
}

// of returns the metric for a key. It is safe for concurrent use.
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

// counters returns a cache of the counters of a vector. label returns the labels for a
// key.
func counters[K comparable](v *prometheus.CounterVec, label func(K) []string) *children[K, prometheus.Counter] {
	return &children[K, prometheus.Counter]{child: func(key K) prometheus.Counter { return v.WithLabelValues(label(key)...) }}
}

// observers returns a cache of the histograms of a vector. label returns the labels for a
// key.
func observers[K comparable](v *prometheus.HistogramVec, label func(K) []string) *children[K, prometheus.Observer] {
	return &children[K, prometheus.Observer]{child: func(key K) prometheus.Observer { return v.WithLabelValues(label(key)...) }}
}
