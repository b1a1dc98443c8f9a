package telemetry

import (
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/digate/digate/server/accounts"
	"github.com/digate/digate/server/budget"
	"github.com/digate/digate/server/ledger/watch"
	"github.com/digate/digate/server/streams"
	"github.com/digate/digate/server/telemetry/export"
	"github.com/digate/digate/server/upstream"
)

type idle struct{}

func (idle) Load() upstream.Load { return upstream.Load{} }

type unasked struct{}

func (unasked) Health() watch.Health { return watch.Health{} }

type unread struct{}

func (unread) Status() accounts.Status { return accounts.Status{} }
func (unread) Failing() []string       { return nil }

func (unread) KeysRead() map[string]time.Time { return nil }

type unsent struct{}

func (unsent) Stats() export.Stats { return export.Stats{} }
func (unsent) Queue() (int, int)   { return 0, 0 }

type unbounded struct{}

func (unbounded) Connections() []Connections { return nil }
func (unbounded) Handshakes() []Handshakes   { return nil }
func (unbounded) Arrivals() Arrivals         { return Arrivals{} }
func (unbounded) Resets() uint64             { return 0 }
func (unbounded) Known() (n, limit int)      { return 0, 0 }

func (unbounded) Decompressions() Decompressions { return Decompressions{} }
func (unbounded) Streams() []streams.Load        { return nil }
func (unbounded) Memory() budget.Load            { return budget.Load{} }

var update = flag.Bool("update-metrics", false, "write the table of docs/metrics.md anew")

const metricsPage = "../../docs/metrics.md"

// metricRow matches a row of the table: name, type, labels, unit, meaning.
var metricRow = regexp.MustCompile("(?m)^\\| `(digate_[a-z_]+)` \\| ([a-z]+) \\| ([^|]*)\\| ([^|]*) \\| ([^|]*) \\|\n")

// The table is made of what the metrics say of themselves; type and unit alone are the
// page's. -update-metrics writes it anew. The metrics of what has not happened yet are
// in no scrape, but they are described.
func TestMetrics_AllThatAreDescribed_AreThoseOfTheDocs(t *testing.T) {
	tel := New(slog.New(slog.DiscardHandler), nil, time.Minute)
	watchAll(t, tel)
	tel.Audit(nil, nil)
	descs := make(chan *prometheus.Desc)
	go func() {
		defer close(descs)
		tel.registry.Describe(descs)
	}()
	described := make(map[string][2]string) // name: labels, meaning
	for d := range descs {
		m := regexp.MustCompile(`fqName: "([^"]*)", help: "([^"]*)".*variableLabels: \{([^}]*)\}`).FindStringSubmatch(d.String())
		if m == nil {
			t.Fatalf("%s", d)
		}
		if !strings.HasPrefix(m[1], "go_") && !strings.HasPrefix(m[1], "process_") {
			described[m[1]] = [2]string{sorted(m[3]), strings.ToLower(m[2][:1]) + strings.TrimSuffix(m[2][1:], ".")}
		}
	}
	b, err := os.ReadFile(metricsPage)
	if err != nil {
		t.Fatal(err)
	}
	page := string(b)
	if *update {
		page = withTable(page, described)
		if err := os.WriteFile(metricsPage, []byte(page), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	documented := make(map[string][2]string)
	for _, row := range metricRow.FindAllStringSubmatch(page, -1) {
		documented[row[1]] = [2]string{sorted(row[3]), row[5]}
	}
	for _, name := range slices.Sorted(maps.Keys(described)) {
		if documented[name] != described[name] {
			t.Errorf("docs/metrics.md has %q of %s, and the metric says %q; go test ./server/telemetry -run TestMetrics -update-metrics writes its row", documented[name], name, described[name])
		}
		delete(documented, name)
	}
	for name := range documented {
		t.Errorf("docs/metrics.md has %s, which is no metric", name)
	}
}

// watched are what the methods of a Telemetry whose names begin with Watch may take.
var watched = []any{idle{}, unasked{}, unread{}, unsent{}, unbounded{}}

// watchAll calls every method whose name begins with Watch, so that all metrics are
// there. An argument that is an interface is one of those watched; any other is nil or
// empty.
func watchAll(t *testing.T, tel *Telemetry) {
	t.Helper()
	called := 0
	for method, f := range reflect.ValueOf(tel).Methods() {
		if !strings.HasPrefix(method.Name, "Watch") {
			continue
		}
		var args []reflect.Value
		for in := range f.Type().Ins() {
			arg := reflect.Zero(in)
			if in.Kind() == reflect.Interface {
				i := slices.IndexFunc(watched, func(w any) bool { return reflect.TypeOf(w).Implements(in) })
				if i < 0 {
					t.Fatalf("nothing in watched, in describe_test.go, is a %v, as %s wants it: add one that says nothing", in, method.Name)
				}
				arg = reflect.ValueOf(watched[i])
			}
			args = append(args, arg)
		}
		f.Call(args)
		called++
	}
	if called == 0 {
		t.Fatal("a Telemetry has no method whose name begins with Watch")
	}
}

// withTable returns the page with a row for each metric. Metrics that it did not have
// come last.
func withTable(page string, described map[string][2]string) string {
	var rows strings.Builder
	add := func(name, kind, unit string) {
		var labels []string
		for label := range strings.SplitSeq(described[name][0], ",") {
			if label != "" {
				labels = append(labels, "`"+label+"`")
			}
		}
		fmt.Fprintf(&rows, "| `%s` | %s |%s | %s | %s |\n", name, kind, strings.TrimRight(" "+strings.Join(labels, ", "), " "), unit, described[name][1])
		delete(described, name)
	}
	described = maps.Clone(described)
	found := metricRow.FindAllStringSubmatchIndex(page, -1)
	for _, row := range metricRow.FindAllStringSubmatch(page, -1) {
		if _, ok := described[row[1]]; ok {
			add(row[1], row[2], row[4])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(described)) {
		kind := "gauge"
		if strings.HasSuffix(name, "_total") {
			kind = "counter"
		}
		add(name, kind, "?")
	}
	return page[:found[0][0]] + rows.String() + page[found[len(found)-1][1]:]
}

// sorted returns the labels of a list, in their order.
func sorted(list string) string {
	labels := regexp.MustCompile("[a-z]+").FindAllString(list, -1)
	slices.Sort(labels)
	return strings.Join(labels, ",")
}
