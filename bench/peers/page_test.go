package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	measure = flag.String("measure", "", "measure what docs/performance.md shows: a list of its `sections`, or all, which takes ten minutes")
	update  = flag.Bool("update", false, "write docs/performance.md and its drawings from what was measured last")
)

const (
	// measured has all that was measured for the page.
	measured = "testdata/performance.json"
	page     = "../../docs/performance.md"
	drawings = "../../docs/performance"
)

// Every figure of docs/performance.md, and every curve, is what was measured.
func TestPage_ShowsWhatWasMeasured(t *testing.T) {
	m := measurements{Sections: make(map[string]*results)}
	b, err := os.ReadFile(measured)
	if err == nil {
		err = json.Unmarshal(b, &m)
	}
	if err != nil && *measure != "all" {
		t.Fatal(err)
	}
	if *measure != "" {
		names := strings.Split(*measure, ",")
		if *measure == "all" {
			names = slices.Sorted(maps.Keys(sections))
		}
		for _, name := range names {
			m.measure(t, name)
			b, err := json.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			// A series on a line.
			write(t, measured, append(bytes.ReplaceAll(b, []byte(`{"Cell"`), []byte("\n"+`{"Cell"`)), '\n'))
		}
	}
	was, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	now := fill(t, string(was), m.tables())
	compareFile(t, page, []byte(now))
	for name, svg := range m.drawings() {
		compareFile(t, filepath.Join(drawings, name+".svg"), []byte(svg))
	}
}

// marker is a line of the page above what comes from a measurement. A line with the
// end is below it.
var marker = regexp.MustCompile(`(?s)<!-- measured: ([a-z-]+) -->\n.*?<!-- end -->`)

// fill puts the tables in the places that the page has for them.
func fill(t *testing.T, text string, tables map[string]string) string {
	t.Helper()
	unused := make(map[string]bool)
	for name := range tables {
		unused[name] = true
	}
	text = marker.ReplaceAllStringFunc(text, func(s string) string {
		name := marker.FindStringSubmatch(s)[1]
		table, ok := tables[name]
		if !ok {
			t.Errorf("nothing was measured for %q", name)
			return s
		}
		delete(unused, name)
		return "<!-- measured: " + name + " -->\n" + table + "<!-- end -->"
	})
	for name := range unused {
		t.Errorf("the page has no place for %q", name)
	}
	return text
}

// compareFile holds a file to what it should be, or writes it.
func compareFile(t *testing.T, path string, want []byte) {
	t.Helper()
	if *update || *measure != "" {
		write(t, path, want)
		return
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs from what was measured; go test ./... -update writes it", path)
	}
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
}
