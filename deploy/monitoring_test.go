package deploy

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/digate/digate/internal/need"
	"github.com/digate/digate/test/rig"
)

// query is an expression of Prometheus', and the labels that the text beside it shows.
type query struct {
	where, expression string
	shown             []string
}

var (
	metricRow   = regexp.MustCompile("(?m)^\\| `(digate_[a-z_]+)` \\| ([a-z]+) \\| ([^|]*)\\|")
	quoted      = regexp.MustCompile("`([a-z_]+)`")
	metricName  = regexp.MustCompile(`\b(?:digate|go|process)_[a-z0-9_]+\b|\bup\b`)
	matchers    = regexp.MustCompile(`([a-z_]+)\{([^}]*)\}`)
	matcher     = regexp.MustCompile(`([a-z_]+)\s*(?:=~|!~|!=|=)\s*"`)
	grouping    = regexp.MustCompile(`\b(?:by|without|on|ignoring) \(([^)]*)\)`)
	shownLabel  = regexp.MustCompile(`\$labels\.([a-z_]+)`)
	legendLabel = regexp.MustCompile(`\{\{([a-z_]+)\}\}`)
	series      = regexp.MustCompile(`(?m)^([a-z_0-9]+)[{ ]`)
)

// always are the labels that Prometheus itself adds.
var always = []string{"job", "instance"}

// exported returns the labels of every series that digate exports: its own as
// docs/metrics.md lists them, which a test of server/telemetry holds to the code, and
// those of Go and of the process as a running server shows them.
func exported(t *testing.T, metrics string) map[string][]string {
	t.Helper()
	all := map[string][]string{"up": nil}
	for _, m := range metricRow.FindAllStringSubmatch(read(t, "../docs/metrics.md"), -1) {
		var labels []string
		for _, l := range quoted.FindAllStringSubmatch(m[3], -1) {
			labels = append(labels, l[1])
		}
		all[m[1]] = labels
		if m[2] == "histogram" {
			all[m[1]+"_bucket"] = append(slices.Clone(labels), "le")
			all[m[1]+"_sum"], all[m[1]+"_count"] = labels, labels
		}
	}
	if len(all) < 30 {
		t.Fatalf("docs/metrics.md lists only %d series", len(all))
	}
	for _, m := range series.FindAllStringSubmatch(metrics, -1) {
		if !strings.HasPrefix(m[1], "digate_") {
			all[m[1]] = nil
		}
	}
	return all
}

// problems names the series and labels of a query that are not exported.
func (q query) problems(exported map[string][]string) (found []string) {
	all := slices.Clone(always)
	for _, name := range metricName.FindAllString(strings.ReplaceAll(q.expression, "up{", "up {"), -1) {
		labels, known := exported[name]
		if !known {
			found = append(found, name)
		}
		all = append(all, labels...)
	}
	for _, m := range matchers.FindAllStringSubmatch(q.expression, -1) {
		for _, l := range matcher.FindAllStringSubmatch(m[2], -1) {
			if !slices.Contains(append(slices.Clone(always), exported[m[1]]...), l[1]) {
				found = append(found, m[1]+"{"+l[1]+"}")
			}
		}
	}
	used := slices.Clone(q.shown)
	for _, m := range grouping.FindAllStringSubmatch(q.expression, -1) {
		for l := range strings.SplitSeq(m[1], ",") {
			used = append(used, strings.TrimSpace(l))
		}
	}
	for _, l := range used {
		if !slices.Contains(all, l) {
			found = append(found, l)
		}
	}
	return found
}

func TestProblems_NamesEachKind(t *testing.T) {
	t.Parallel()
	exported := map[string][]string{"digate_calls_total": {"code"}, "up": nil}
	q := query{expression: `sum by (code, kind) (rate(digate_calls_total{job="a", code="OK", color=~"x"}[5m])) + digate_nothing + up{job="b"}`, shown: []string{"instance", "shade"}}
	want := []string{"digate_nothing", "digate_calls_total{color}", "shade", "kind"}
	if got := q.problems(exported); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func alerts(t *testing.T) (all []query) {
	t.Helper()
	var file struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr string
				Annotations map[string]string
			}
		}
	}
	if err := yaml.Unmarshal([]byte(read(t, "prometheus/digate.rules.yaml")), &file); err != nil {
		t.Fatal(err)
	}
	page := read(t, "../docs/operations.md")
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			q := query{where: r.Alert, expression: r.Expr}
			for _, m := range shownLabel.FindAllStringSubmatch(r.Annotations["summary"], -1) {
				q.shown = append(q.shown, m[1])
			}
			all = append(all, q)
			if !strings.Contains(page, "`"+r.Alert+"`") || r.Annotations["runbook"] != "docs/operations.md#alerts" {
				t.Errorf("docs/operations.md does not say what to do about %s", r.Alert)
			}
		}
	}
	return all
}

func panels(t *testing.T) (all []query) {
	t.Helper()
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr, LegendFormat string }
		}
	}
	if err := json.Unmarshal([]byte(read(t, "grafana/digate.json")), &dashboard); err != nil {
		t.Fatal(err)
	}
	for _, p := range dashboard.Panels {
		for _, target := range p.Targets {
			q := query{where: p.Title, expression: strings.ReplaceAll(target.Expr, "$__rate_interval", "5m")}
			for _, m := range legendLabel.FindAllStringSubmatch(target.LegendFormat, -1) {
				q.shown = append(q.shown, m[1])
			}
			all = append(all, q)
		}
	}
	return all
}

func scrape(t *testing.T) string {
	t.Helper()
	server, err := rig.Serve(digate(t), filepath.Join(t.TempDir(), "log"), "--upstream-url", "http://127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	metrics, err := server.Get("/metrics")
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	return metrics
}

// An alert on a name that is not exported never comes, and nobody notices.
func TestAlertsAndDashboard_UseWhatIsExported(t *testing.T) {
	t.Parallel()
	names := exported(t, scrape(t))
	onDashboard := make(map[string]bool)
	for _, list := range [][]query{alerts(t), panels(t)} {
		if len(list) < 10 {
			t.Errorf("only %d queries", len(list))
		}
		for _, q := range list {
			for _, p := range q.problems(names) {
				t.Errorf("%s: %s is not exported", q.where, p)
			}
		}
	}
	for _, q := range panels(t) {
		for _, name := range metricName.FindAllString(q.expression, -1) {
			onDashboard[name] = true
		}
	}
	if len(onDashboard) < 25 {
		t.Errorf("the dashboard shows only %q", slices.Sorted(maps.Keys(onDashboard)))
	}
}

// Prometheus itself reads the alerts, the queries of the dashboard and what a server
// exports, and raises the alerts that the rules' own tests expect.
func TestPromtool_AcceptsAlertsDashboardAndMetrics(t *testing.T) {
	t.Parallel()
	promtool := need.Program(t, "promtool")
	run := func(input string, args ...string) {
		cmd := exec.Command(promtool, args...)
		cmd.Stdin = strings.NewReader(input)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %q: %v\n%s", args, err, out)
		}
	}
	run("", "check", "rules", "prometheus/digate.rules.yaml")
	run("", "test", "rules", "prometheus/digate.rules.test.yaml")
	run(scrape(t), "check", "metrics")

	type rule struct{ Record, Expr string }
	var rules []rule
	for _, q := range panels(t) {
		rules = append(rules, rule{"panel:" + strings.Repeat("x", len(rules)+1), q.expression})
	}
	text, err := yaml.Marshal(map[string]any{"groups": []map[string]any{{"name": "dashboard", "rules": rules}}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "dashboard.yaml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	run("", "check", "rules", file)
}
