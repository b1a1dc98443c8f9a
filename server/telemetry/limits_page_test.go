package telemetry

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// An operator looks up in a table where a bound is seen. The table has every metric of a
// bound, and no other name: describe_test.go holds those of docs/metrics.md to the code.
func TestLimitsPage_WhereEachBoundIsSeen_HasTheMetricsOfBounds(t *testing.T) {
	t.Parallel()
	read := func(page string) string {
		b, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	var metrics []string
	for _, row := range metricRow.FindAllStringSubmatch(read(metricsPage), -1) {
		metrics = append(metrics, row[1])
	}
	_, section, _ := strings.Cut(read("../../docs/limits.md"), "\n## Where each bound is seen\n")
	section, _, _ = strings.Cut(section, "\n## ")
	labels := []string{"result"}
	var seen []string
	for row := range strings.Lines(section) {
		if !strings.HasPrefix(row, "| ") {
			continue
		}
		for _, name := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(row, -1) {
			if metric := "digate_" + name[1]; slices.Contains(metrics, metric) {
				seen = append(seen, metric)
			} else if !slices.Contains(labels, name[1]) {
				t.Errorf("%s is no metric", metric)
			}
		}
	}
	ofBound := regexp.MustCompile(`(_limit(_[a-z]+)?|_refused_total|_lines_lost_total|_omitted_total|_waits_total|_queued(_[a-z]+)?|_pending_bytes|_waiting|_awaited|_closed_total)$`)
	for _, metric := range metrics {
		if ofBound.MatchString(metric) && !slices.Contains(seen, metric) {
			t.Errorf("docs/limits.md does not say what %s is of", metric)
		}
	}
}
