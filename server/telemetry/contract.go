package telemetry

import "github.com/digate/digate/server/contract/surface"

// ContractCompared sets how many differences Diga's published contract has, by class.
func (t *Telemetry) ContractCompared(count map[surface.Class]int) {
	for class, n := range count {
		t.metrics.contract.WithLabelValues(string(class)).Set(float64(n))
	}
}
