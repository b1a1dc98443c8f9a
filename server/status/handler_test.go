package status_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/digate/digate/server/status"
)

func get(look func(context.Context) status.Status, path, accept string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Header.Set("Accept", accept)
	status.Handler(look).ServeHTTP(w, r)
	return w
}

// elements returns the elements of a page by their name, and its text.
func elements(t *testing.T, page string) (all map[string][]*html.Node, text string) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	all = make(map[string][]*html.Node)
	var b strings.Builder
	for n := range root.Descendants() {
		switch {
		case n.Type == html.ElementNode:
			all[n.Data] = append(all[n.Data], n)
		case n.Type == html.TextNode && n.Parent.Data != "style":
			b.WriteString(" " + n.Data) // cells are words apart
		}
	}
	return all, strings.Join(strings.Fields(b.String()), " ")
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func TestPage_Full_ShowsEverythingAndRunsNothing(t *testing.T) {
	t.Parallel()
	w := get(full, "/", "text/html,application/xhtml+xml,*/*;q=0.8")
	if w.Code != 200 || w.Header().Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("%d, %v", w.Code, w.Header())
	}
	all, text := elements(t, w.Body.String())
	for _, want := range []string{
		"digate 1.2.3", "Not ready: draining", "up for 2d1h since 2026-11-27 11:00:00Z",
		"https://api.diga.io, the circuit is open", "Requests under way 3 of 128", "Calls that wait 7 (4711 bytes)", "Overload: rate_limited 5", "Refused: circuit_open 6",
		"postgres: lost (read_only) since 2026-11-29 12:00:00Z", "Records done 100000 or more", "Records unknown 30", "Connections in use 2 of 16",
		"/var/log/audit.log , without which no write is sent: not written (no space left on device) since 2026-11-29 12:00:00Z", "Lines lost 4", "Writes refused 8",
		"The log level is DEBUG , and INFO by its setting and again at 2026-11-29 12:00:00Z",
		"Younger than 5m 1h 6h 24h older", "Doubts 2 4 9 15 0",
		"23h21m bbbbbbbbbb1d CopyTemplate", "DIGATE_LEDGER", "max-streams 1000 default", "gRPC [::]:9090",
		"auth_type: " + hostile + " the value is none of those that the contract lists 3", hostile + " 9 2026-11-29 12:00:00Z UNKNOWN UNKNOWN diga.integration.v1.IntegrationService/CopyTemplate AAAAAAAAAAAAAAAAAAAAAAAAAA",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in %.300s…", want, text)
		}
	}
	for _, unwanted := range []string{"script", "img", "iframe", "form", "link", "object", "base", "svg"} {
		if n := len(all[unwanted]); n > 0 {
			t.Errorf("%d elements %s", n, unwanted)
		}
	}
	var links []string
	for _, nodes := range all {
		for _, n := range nodes {
			for _, a := range n.Attr {
				if strings.HasPrefix(a.Key, "on") || a.Key == "style" || a.Key == "src" {
					t.Errorf("an attribute %s", a.Key)
				}
			}
		}
	}
	for _, a := range all["a"] {
		links = append(links, attribute(a, "href"))
	}
	for _, link := range append(full(t.Context()).Links, "/ledger/records?state=unknown") {
		if !slices.Contains(links, link) {
			t.Errorf("no link to %s", link)
		}
	}
	for _, link := range links {
		if !strings.HasPrefix(link, "/") || strings.HasPrefix(link, "//") {
			t.Errorf("a link to %s", link)
		}
	}
	if len(all["meta"]) != 2 || attribute(all["meta"][1], "content") != "width=device-width, initial-scale=1" || attribute(all["html"][0], "lang") != "en" {
		t.Error("a phone shows it as a small picture of a wide page")
	}
	policy := w.Header().Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "style-src 'sha256-", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("no %s in the policy %s", want, policy)
		}
	}
	if strings.Contains(policy, "unsafe") || w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%v", w.Header())
	}
}

func TestPage_NothingHappened_SaysSo(t *testing.T) {
	t.Parallel()
	quiet := func(context.Context) status.Status {
		s := status.Status{Version: "v", Upstream: status.Upstream{Circuit: "closed"}, Ledger: status.Ledger{Store: "memory", CountedTo: 10, Records: map[string]int{"unknown": 0}}}
		s.Ledger.SetDoubts(nil)
		return s
	}
	_, text := elements(t, get(quiet, "/", "").Body.String())
	for _, want := range []string{"Ready , up for 0s", "the circuit is closed", "memory, forgotten when this process ends: usable", "Open doubts None.", "since the start None.", "contract None."} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	unknown := func(context.Context) status.Status { return status.Status{} }
	if _, text := elements(t, get(unknown, "/", "").Body.String()); !strings.Contains(text, "Records not known") || !strings.Contains(text, "Open doubts Not known.") {
		t.Errorf("a ledger that cannot be asked has no doubts: %s", text)
	}
}

func TestJSON_ByPathOrAccept_IsTheSame(t *testing.T) {
	t.Parallel()
	var first status.Status
	for accept, isJSON := range map[string]bool{
		"": false, "*/*": false, "text/html": false, "application/json": true, "application/json;q=0.5, text/html": false, "text/html;q=0.5, Application/JSON": true,
	} {
		w := get(full, "/", accept)
		if got := w.Header().Get("Content-Type") == "application/json"; got != isJSON {
			t.Errorf("%q: JSON %v", accept, got)
		}
	}
	byPath, byAccept := get(full, status.JSONPath, "text/html"), get(full, "/", "application/json")
	if byPath.Body.String() != byAccept.Body.String() || byPath.Header().Get("Vary") != "Accept" {
		t.Error("two documents")
	}
	if err := json.Unmarshal(byPath.Body.Bytes(), &first); err != nil || first.Ledger.Records["done"] != 100_000 || len(first.Ledger.Doubts) != status.MaxDoubts {
		t.Errorf("%v, %+v", err, first)
	}
	if first.Ledger.Doubts[0].AgeSeconds < first.Ledger.Doubts[1].AgeSeconds {
		t.Error("the oldest doubt is not first")
	}
}
