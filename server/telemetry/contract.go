package telemetry

import "github.com/digate/digate/server/contract/surface"

// ContractCompared sets the number of differences in Diga's published contract, by class.
func (t *Telemetry) ContractCompared(count map[surface.Class]int) {
	for class, n := range count {
		t.metrics.contract.WithLabelValues(string(class)).Set(float64(n))
	}
}
