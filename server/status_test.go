package server_test

import (
	"encoding/json"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/digate/digate/server/config"
	"github.com/digate/digate/server/status"
)

// The one on call sees what goes wrong on one page, and the same as JSON. Neither has
// a secret, which TestMain looks for.
func TestStatus_AfterTrouble_ShowsItWithoutSecrets(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	d := start(t, up.url(), func(c *config.Config) {
		c.Ledger.Spec = "sqlite:" + filepath.Join(t.TempDir(), "ledger.db")
	})
	up.will(respond(201, nil, odd))
	if rest := d.copyREST(t, templateID, `{"api_key":"`+apiKey+`","variables":{"shop":"`+varSec+`"}}`); rest.status != 201 {
		t.Fatal(rest)
	}
	up.will(raw("", true))
	if _, e := d.copyRPC(t, withID("order-4711")); e == nil {
		t.Fatal("no failure")
	}
	page := d.admin(t, "/")
	_, _ = io.WriteString(&output, page.body)
	if page.status != 200 || page.header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("%d %v", page.status, page.header)
	}
	document := d.admin(t, "/status.json")
	_, _ = io.WriteString(&output, document.body)
	var got status.Status
	if err := json.Unmarshal([]byte(document.body), &got); err != nil {
		t.Fatal(err)
	}
	if got.Version != "test" || got.NotReady != "" || got.Upstream.URL != up.url() || got.Upstream.Circuit != "closed" || len(got.Listeners) != 3 || got.UptimeSeconds <= 0 {
		t.Errorf("%+v", got)
	}
	if l := got.Ledger; l.Store != "sqlite" || !l.Durable || l.Lost != "" || l.Records["unknown"] != 1 || len(l.Doubts) != 1 || l.Doubts[0].ParentID != templateID || l.DoubtAges[0].Count != 1 {
		t.Errorf("%+v", l)
	}
	if len(got.Errors) != 1 || got.Errors[0].Reason != "OUTCOME_UNKNOWN" || got.Errors[0].Count != 1 || !strings.Contains(d.log.String(), got.Errors[0].XRequestID) {
		t.Errorf("%+v", got.Errors)
	}
	if len(got.Drift) == 0 {
		t.Error("no drift")
	}
	set := ""
	for _, s := range got.Settings {
		if s.Name == "ledger" {
			set = s.Value.(string)
		}
	}
	if !strings.HasPrefix(set, "sqlite:") {
		t.Errorf("the ledger is set to %q", set)
	}
	for _, want := range []string{"OUTCOME_UNKNOWN", got.Ledger.Doubts[0].Record[:12], templateID} {
		if !strings.Contains(page.body, want) {
			t.Errorf("no %s on the page", want)
		}
	}
	for _, text := range []string{page.body, document.body} {
		if strings.Contains(text, "order-4711") {
			t.Error("a request id is shown")
		}
	}
	if accepted := send(t, d.http, "GET", "http://"+d.AdminAddr().String(), "/", "", "Accept", "application/json"); accepted.header.Get("Content-Type") != "application/json" {
		t.Errorf("%v", accepted.header)
	}
	for path, want := range map[string]int{"/": 421, "/status.json": 421} {
		if got := d.adminAs(t, "evil.example", path); got.status != want {
			t.Errorf("%s for another host: %d", path, got.status)
		}
	}
	if got := send(t, d.http, "POST", "http://"+d.AdminAddr().String(), "/", ""); got.status != 405 {
		t.Errorf("POST: %d", got.status)
	}
	if got := d.admin(t, "/nothing"); got.status != 404 {
		t.Errorf("another path: %d", got.status)
	}
}
