package conformance

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("conformance.update", false, "write the results into docs/conformance.md")

const page = "../../docs/conformance.md"

// The heads of the page's tables.
const (
	resultsHead    = "| suite | server | over | cases | skipped | failed |\n|---|---|---|--:|--:|--:|\n"
	exceptionsHead = "| case | why digate fails it |\n|---|---|\n"
	webHead        = "| case over Connect and gRPC-Web | why digate fails it |\n|---|---|\n"
	librariesHead  = "| suite | case | who fails it |\n|---|---|---|\n"
)

// holdPage fails the test unless the page has the results, or writes them into it.
func holdPage(t *testing.T, results []*result) {
	t.Helper()
	b, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	for head, rows := range map[string]string{resultsHead: resultRows(results), exceptionsHead: exceptionRows(grpcExceptions), webHead: exceptionRows(webExceptions), librariesHead: libraryRows(results)} {
		before, rest, ok := strings.Cut(text, head)
		if !ok {
			t.Fatalf("%s has no table with this head:\n%s", page, head)
		}
		old, after, _ := strings.Cut(rest, "\n\n")
		if old+"\n" != rows && !*update {
			t.Errorf("%s has other results (make conformance UPDATE=1 writes them):\n%s\nand the run has:\n%s", page, old, rows)
		}
		text = before + head + rows + "\n" + after
	}
	if *update {
		if err := os.WriteFile(page, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// resultRows returns the rows of what each server made of each suite.
func resultRows(results []*result) string {
	var b strings.Builder
	for _, r := range results {
		fmt.Fprintf(&b, "| %s | %s | %s | %d | %d | %d |\n", r.suite, r.server, r.transport, r.cases, r.skipped, r.failed)
	}
	return b.String()
}

// exceptionRows returns the rows of what digate fails alone.
func exceptionRows(list []*exception) string {
	var b strings.Builder
	for _, e := range list {
		fmt.Fprintf(&b, "| `%s` | %s |\n", strings.Join(e.cases, "`, `"), e.why)
	}
	return b.String()
}

// libraryRows returns the rows of what the libraries fail, and digate with them.
func libraryRows(results []*result) string {
	type failure struct{ suite, name string }
	by := make(map[failure][]string)
	for _, r := range results {
		for name := range r.failures {
			f := failure{r.suite, name}
			if !slices.Contains(by[f], r.server) {
				by[f] = append(by[f], r.server)
			}
		}
	}
	var b strings.Builder
	for _, f := range slices.SortedFunc(maps.Keys(by), func(a, b failure) int {
		return strings.Compare(a.suite+a.name, b.suite+b.name)
	}) {
		servers := by[f]
		if !slices.Contains(servers, bare) && !slices.Contains(servers, nethttp) {
			continue // of digate alone
		}
		slices.Sort(servers)
		fmt.Fprintf(&b, "| %s | %s | %s |\n", f.suite, f.name, strings.Join(servers, ", "))
	}
	return b.String()
}

// The page shows every exception, and no result of digate's that is worse than the
// library's without one.
func TestPage_HasEveryException(t *testing.T) {
	b, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for head, list := range map[string][]*exception{exceptionsHead: grpcExceptions, webHead: webExceptions} {
		_, rest, ok := strings.Cut(string(b), head)
		if rows, _, _ := strings.Cut(rest, "\n\n"); !ok || rows+"\n" != exceptionRows(list) {
			t.Errorf("the exceptions of %s are not those of the suite (make conformance UPDATE=1)", page)
		}
	}
}
