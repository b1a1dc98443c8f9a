package docs

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// notRunAnywhere are the commands that no test runs as the pages have them, by page and
// by the reason that the page gives, with what shows instead that they work.
var notRunAnywhere = map[string]map[string]string{
	"README.md": {
		"the test starts it":    "each page's examples run against a digate dev of their own",
		"serve would call Diga": "cmd/digate runs serve, against a stand-in",
	},
	"CONTRIBUTING.md": {"a measurement takes minutes": "the measurements of docs/performance.md"},
	"docs/dependencies.md": {
		"it takes newer versions from the network": "what they change is tested when it is committed",
		"it changes the version":                   "TestGo_IsOneVersion names what was left out",
	},
	"docs/abuse.md":       {"a measurement takes minutes": "test/abuse runs attacks, and holds the table"},
	"docs/bulk.md":        {"a measurement takes minutes": "the tests of bench/bulk make fewer copies"},
	"docs/conformance.md": {"the suites of others take minutes": ".ci/run runs it"},
	"docs/crash.md":       {"the kills take minutes": ".ci/run runs it, and chooses a seed"},
	"docs/performance.md": {"a measurement takes minutes": "bench/peers holds the page to what was measured"},
	"docs/reliability.md": {"the faults of thousands of calls take minutes": ".ci/run runs it, and chooses a seed"},
	"docs/cli.md":         {"it asks a person": "cmd/digate settles rows in doubt, with a person of its own"},
	"docs/idempotency.md": {
		"the record and the ledger are examples": "cmd/digate lists and settles doubts",
		"a measurement takes minutes":            "the measurements of docs/bulk.md",
	},
	"docs/running.md":            {"serve would call Diga": "cmd/digate runs serve, against a stand-in"},
	"docs/testing-against-it.md": {"both run until they are stopped": "cmd/digate runs both"},
	"docs/tracing.md":            {"needs a collector": "server exports to a collector in the test"},
	"docs/client-contract.md": {
		"it takes the newest version from the network": "client publishes the module to a proxy of its own, and imports it",
	},
	"docs/recipes.md": {
		"needs Airflow":  "the block above it runs what its task calls, twice",
		"needs Temporal": "the same block runs what its activity calls",
	},
	"docs/accounts.md": {"the authorities of the callers' certificates are yours": "server authenticates callers with certificates"},
	"docs/callers.md":  {"the issuer is an example": "server knows callers by a claim, with an issuer of its own"},
	"docs/operations.md": {
		"it installs a service":       "deploy verifies the units, and runs what they start",
		"no container engine is here": "make image-test runs the image's root",
		"no cluster is here":          "tools/kubernetes decodes the manifests, and starts a server with their settings",
	},
}

var ranBy = regexp.MustCompile(`^([a-z]+_test\.go) runs this page`)

// anExample is a page whose blocks test/examples runs, each of them.
var anExample = regexp.MustCompile(`^examples/[a-z-]+/README\.md$`)

// aCommand begins a line that is to be typed.
var aCommand = regexp.MustCompile(`(?m)^(\$ |(digate|make|go|curl|grpcurl|git|protoc|npm|pip|cargo|mvn|podman|docker|kubectl|systemctl|psql|sqlite3|openssl) )`)

// A block of commands is run, or the list above says why not. A block that a test of its
// page runs names that test.
func TestPages_EveryCommandIsRunOrListed(t *testing.T) {
	t.Parallel()
	seen := map[string][]string{}
	for _, p := range pages(t) {
		if p.foreign() {
			continue
		}
		for _, b := range p.blocks {
			if slices.Contains([]string{"bash", "shell", "zsh", "shell-session"}, b.language) || b.language == "" && aCommand.MatchString(b.text) {
				t.Errorf("%s, line %d: commands are blocks of sh or console", p.path, b.line)
			}
			reason := notRun.FindStringSubmatch(b.before)
			if reason == nil || !slices.Contains([]string{"sh", "console", "python"}, b.language) {
				continue
			}
			if m := ranBy.FindStringSubmatch(reason[1]); m != nil {
				test, err := os.ReadFile(m[1])
				if err != nil || !strings.Contains(string(test), `read(t, "`+p.path+`").blocks`) {
					t.Errorf("%s, line %d: %s does not run this page", p.path, b.line, m[1])
				}
				continue
			}
			if reason[1] == "make examples runs it" && anExample.MatchString(p.path) {
				continue
			}
			seen[p.path] = append(seen[p.path], reason[1])
			if notRunAnywhere[p.path][reason[1]] == "" {
				t.Errorf("%s, line %d: not run, and not listed: %s", p.path, b.line, reason[1])
			}
		}
	}
	for path, reasons := range notRunAnywhere {
		for reason := range reasons {
			if !slices.Contains(seen[path], reason) {
				t.Errorf("%s has no block that is not run because %s", path, reason)
			}
		}
	}
}
