package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/clitest"
)

// upstreamOf runs an upstream of the test and a digate in front of it.
func upstreamOf(t *testing.T, h http.HandlerFunc) (addr string) {
	t.Helper()
	upstream := httptest.NewServer(h)
	t.Cleanup(upstream.Close)
	t.Setenv("DIGATE_TOKEN", clitest.Token)
	return facade(t, upstream.URL)
}

// listed is what the JSON output of a list holds.
type listed struct {
	Data    []struct{ ID, Name string } `json:"data"`
	FirstID *string                     `json:"first_id"`
	LastID  *string                     `json:"last_id"`
	HasMore bool                        `json:"has_more"`
}

// listJSON runs a command that lists and returns its JSON.
func listJSON(t *testing.T, args ...string) (l listed) {
	t.Helper()
	got := digate(t, append(args, "-o", "json")...)
	if got.Code != client.ExitDone || got.Err != "" || strings.Count(got.Out, "\n") != 1 {
		t.Fatalf("%+v", got)
	}
	if err := json.Unmarshal([]byte(got.Out), &l); err != nil {
		t.Fatalf("%v in %s", err, got.Out)
	}
	return l
}

// copied makes an integration and returns its id.
func copied(t *testing.T, addr, template string, args ...string) string {
	t.Helper()
	got := digate(t, append([]string{"copy", template, "--addr", addr, "-o", "json"}, args...)...)
	var in struct{ ID string }
	if err := json.Unmarshal([]byte(got.Out), &in); err != nil || in.ID == "" {
		t.Fatalf("%v: %+v", err, got)
	}
	return in.ID
}

func TestTemplatesList_IsATableAndSaysThatThereAreMore(t *testing.T) {
	addr, _ := stand(t)
	got := digate(t, "templates", "list", "--addr", addr, "--limit", "2")
	lines := strings.Split(got.Out, "\n")
	if got.Code != client.ExitDone || len(lines) != 4 || !strings.HasPrefix(lines[0], "ID    ") || !strings.HasPrefix(lines[1], clitest.TemplateID+"  Shopify: pedidos y productos  es        ") {
		t.Fatalf("%+v", got)
	}
	if column := strings.Index(lines[0], "NAME"); column != 38 || strings.Index(lines[0], "LANGUAGE") != strings.Index(lines[1], "es   ") {
		t.Errorf("not aligned:\n%s", got.Out)
	}
	last := strings.Fields(lines[2])[0]
	if got.Err != "There are more: --after "+last+", or --all\n" {
		t.Errorf("%q", got.Err)
	}
	if got = digate(t, "templates", "list", "--addr", addr, "--limit", "2", "--page", "1"); got.Err != "There are more: --page 2\n" {
		t.Errorf("%q", got.Err)
	}
	if got = digate(t, "templates", "list", "--addr", addr); got.Err != "" {
		t.Errorf("%q", got.Err)
	}
}

func TestList_All_FollowsToTheEndAndIsOnePage(t *testing.T) {
	addr, e := stand(t)
	var want []string
	for range 5 {
		want = append(want, copied(t, addr, clitest.TemplateID))
	}
	before := e.Requests()
	l := listJSON(t, "integrations", "list", "--addr", addr, "--all", "--limit", "2", "--order", "asc")
	var got []string
	for _, x := range l.Data {
		got = append(got, x.ID)
	}
	if !slices.Equal(got, want) || l.HasMore || *l.FirstID != want[0] || *l.LastID != want[4] {
		t.Errorf("%+v, want %v", l, want)
	}
	if n := e.Requests() - before; n != 1 {
		t.Errorf("%d requests", n)
	}
	if l = listJSON(t, "integrations", "list", "--addr", addr, "--all", "--order", "asc", "--after", want[2]); len(l.Data) != 2 || l.Data[0].ID != want[3] {
		t.Errorf("from the middle: %+v", l)
	}
	if got := digate(t, "integrations", "list", "--addr", addr, "--all"); got.Code != client.ExitDone || got.Err != "" || strings.Count(got.Out, "\n") != 6 {
		t.Errorf("%+v", got)
	}
}

func TestList_Flags_AreTheQueryThatTheUpstreamGets(t *testing.T) {
	queries := make(chan string, 1)
	addr := upstreamOf(t, func(w http.ResponseWriter, r *http.Request) {
		queries <- r.URL.RequestURI()
		_, _ = w.Write([]byte(`{"data":[],"has_more":false}`))
	})
	const id = clitest.NoTemplate
	for want, args := range map[string][]string{
		"/v1/integration/template":                                                  {"templates", "list"},
		"/v1/integration/template?language=en":                                      {"templates", "list", "--language", "en"},
		"/v1/integration/template?after=" + id:                                      {"templates", "list", "--after", id},
		"/v1/integration/template?before=" + id + "&limit=3":                        {"templates", "list", "--before", id, "--limit", "3"},
		"/v1/integration?limit=100":                                                 {"integrations", "list", "--all"},
		"/v1/integration?page=2&order=asc&integration_type=MCP":                     {"integrations", "list", "--type", "MCP", "--page", "2", "--order", "asc"},
		"/v1/integration/" + clitest.TemplateID + "/tool?after=" + id:               {"tools", "list", clitest.TemplateID, "--after", id},
		"/v1/integration/" + clitest.TemplateID + "/tool?page=1&limit=5&order=desc": {"tools", "list", clitest.TemplateID, "--limit", "5", "--page", "1", "--order", "desc"},
	} {
		got := digate(t, append(args, "--addr", addr)...)
		if got.Code != client.ExitDone || got.Err != "" || strings.Count(got.Out, "\n") != 1 {
			t.Errorf("%v: %+v", args, got)
			continue
		}
		if query := <-queries; query != want {
			t.Errorf("sent %s, want %s", query, want)
		}
	}
}

func TestList_AllOfAListThatDoesNotEnd_IsAnError(t *testing.T) {
	for name, lastID := range map[string]string{"no id to go on from": `null`, "the same id again": `"` + clitest.TemplateID + `"`} {
		addr := upstreamOf(t, func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, `{"data":[],"last_id":%s,"has_more":true}`, lastID)
		})
		got := digate(t, "integrations", "list", "--addr", addr, "--all")
		if got.Code != client.ExitUnknown || got.Out != "" || !strings.Contains(got.Err, "Diga says that there are more items, but does not list them\n") {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestList_SecondPageFails_ShowsNoHalf(t *testing.T) {
	addr := upstreamOf(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("after") != "" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		_, _ = w.Write([]byte(`{"data":[{"id":"x"}],"last_id":"` + clitest.TemplateID + `","has_more":true}`))
	})
	if got := digate(t, "integrations", "list", "--addr", addr, "--all"); got.Code != client.ExitRejected || got.Out != "" || !strings.HasPrefix(got.Err, "REJECTED: ") {
		t.Errorf("%+v", got)
	}
}

func TestRead_Unknown_SaysThatASecondCallIsSafe(t *testing.T) {
	addr := upstreamOf(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	for _, args := range [][]string{{"templates", "list"}, {"templates", "get", clitest.TemplateID}, {"integrations", "get", clitest.TemplateID}, {"tools", "list", clitest.TemplateID}} {
		got := digate(t, append(args, "--addr", addr)...)
		if got.Code != client.ExitUnknown || !strings.Contains(got.Err, "a second call is safe") || strings.Contains(got.Err, "twice") {
			t.Errorf("%v: %+v", args, got)
		}
	}
	got := digate(t, "integrations", "delete", clitest.TemplateID, "--yes", "--addr", addr)
	if got.Code != client.ExitUnknown || !strings.Contains(got.Err, "It may have been done") {
		t.Errorf("%+v", got)
	}
}

func TestCommands_NoServer_AreNotSent(t *testing.T) {
	t.Setenv("DIGATE_TOKEN", clitest.Token)
	for _, args := range [][]string{
		{"templates", "list"}, {"templates", "get", clitest.TemplateID}, {"integrations", "list"}, {"integrations", "get", clitest.TemplateID},
		{"integrations", "update", clitest.TemplateID, "--name", "n"}, {"integrations", "delete", clitest.TemplateID, "--yes"},
		{"tools", "list", clitest.TemplateID}, {"tools", "approve", clitest.TemplateID, clitest.TemplateID},
	} {
		if got := digate(t, append(args, "--addr", "127.0.0.1:1")...); got.Code != client.ExitNotSent || !strings.HasPrefix(got.Err, "NOT_SENT: no digate at 127.0.0.1:1") {
			t.Errorf("%v: %+v", args, got)
		}
	}
}

func TestTemplatesGet_NamesThePlaceholders(t *testing.T) {
	addr, _ := stand(t)
	got := digate(t, "templates", "get", "c4a7b9e2-6f38-4e15-8d0c-73f2a1b58e96", "--addr", addr)
	for _, want := range []string{"name             Twilio: mensajes SMS\n", "language         es\n", "setup_guide_url  https://", "placeholders     account_sid, sender\n"} {
		if got.Code != client.ExitDone || !strings.Contains(got.Out, want) {
			t.Errorf("no %q in %+v", want, got)
		}
	}
	got = digate(t, "templates", "get", clitest.TemplateID, "--addr", addr, "-o", "json")
	var x struct {
		ID       string
		Template map[string]any
	}
	if err := json.Unmarshal([]byte(got.Out), &x); err != nil || x.ID != clitest.TemplateID || x.Template["base_url"] == nil {
		t.Errorf("%v in %+v", err, got)
	}
	if got = digate(t, "templates", "get", clitest.NoTemplate, "--addr", addr); got.Code != client.ExitRejected {
		t.Errorf("%+v", got)
	}
}

func TestTables_UpstreamSendsTerminalSequences_TheyAreHarmless(t *testing.T) {
	quoted, err := json.Marshal(clitest.Hostile)
	if err != nil {
		t.Fatal(err)
	}
	h := string(quoted)
	item := `{"id":` + h + `,"name":` + h + `,"language":` + h + `,"description":` + h + `,"base_url":` + h +
		`,"type":"HTTP","endpoint_path":` + h + `,"method":"GET","template":{"x":"<<` + h[1:len(h)-1] + `>>"}}`
	page := `{"data":[` + item + `],"last_id":` + h + `,"has_more":true}`
	addr := upstreamOf(t, func(w http.ResponseWriter, r *http.Request) {
		body := page
		if strings.HasSuffix(r.URL.Path, clitest.TemplateID) {
			body = item
		}
		_, _ = w.Write([]byte(body))
	})
	for _, args := range [][]string{{"templates", "list"}, {"templates", "get", clitest.TemplateID}, {"integrations", "list"}, {"tools", "list", clitest.TemplateID}} {
		for _, output := range []string{"text", "json"} {
			got := digate(t, append(args, "--addr", addr, "-o", output)...)
			if r, bad := clitest.Harmful(got.Out + got.Err); bad || got.Code != client.ExitDone {
				t.Errorf("%v: %U in %+v", args, r, got)
			}
		}
	}
	got := digate(t, "__complete", "--", "templates", "get", "--addr", addr, "")
	if r, bad := clitest.Harmful(strings.ReplaceAll(got.Out, "\t", "")); bad || strings.Count(got.Out, "\n") != 1 {
		t.Errorf("%U in %+v", r, got)
	}
}
