package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/clitest"
)

// resetAfter is the template of the emulator that makes a copy and resets the
// connection.
const resetAfter = "00000000-0000-4000-8000-000000000603"

// With a real server and its ledger: a run that ends with a copy in doubt, the
// doubt settled, rows moved and added, and a last run that makes the rest.
func TestBulk_WithTheServer_EndsWithEachRowOnceAndItsDoubtSettled(t *testing.T) {
	addr, e := stand(t)
	head, one, two, lost := "template_id,name\n", clitest.TemplateID+",one\n", clitest.TemplateID+",two\n", resetAfter+",lost\n"
	file := clitest.WriteFile(t, "rows.csv", head+one+two+two+lost)
	first := digate(t, "bulk", file, "--addr", addr, "--results", "-", "--unfinished", "allow")
	results := clitest.ResultsOf(t, first.Out)
	if n := clitest.Outcomes(results); first.Code != client.ExitUnknown || n["DONE"] != 3 || n["UNKNOWN"] != 1 || len(e.Integrations(clitest.Token)) != 4 {
		t.Fatalf("%v, %+v", n, first)
	}
	id := results[5].RequestID
	shown := digate(t, "ledger", "show", id, "--addr", addr, "-o", "json")
	var found struct {
		Copy struct {
			Candidates []struct {
				IntegrationID string `json:"integration_id"`
				Name          string
			}
		}
	}
	if err := json.Unmarshal([]byte(shown.Out), &found); err != nil || shown.Code != client.ExitDone {
		t.Fatalf("%v in %+v", err, shown)
	}
	candidates := found.Copy.Candidates
	if len(candidates) != 1 || candidates[0].Name != "lost" || !strings.Contains(results[5].Message, "ledger show "+id) {
		t.Fatalf("%+v, %+v", candidates, results[5])
	}

	again := digate(t, "bulk", file, "--addr", addr, "--results", "-", "--unfinished", "allow")
	if n := clitest.Outcomes(clitest.ResultsOf(t, again.Out)); again.Code != client.ExitUnknown || n["REPLAYED"] != 3 || n["UNKNOWN"] != 1 ||
		!strings.Contains(again.Out, "it may have created "+candidates[0].IntegrationID) {
		t.Errorf("%v, %+v", n, again)
	}
	if got := digate(t, "ledger", "resolve", id, "--integration", candidates[0].IntegrationID, "--addr", addr, "--yes"); got.Code != client.ExitDone {
		t.Fatalf("%+v", got)
	}

	if err := os.WriteFile(file, []byte(head+lost+two+clitest.TemplateID+",new\n"+two+two+one), 0o600); err != nil {
		t.Fatal(err)
	}
	last := digate(t, "bulk", file, "--addr", addr, "--results", "-", "--unfinished", "allow")
	results = clitest.ResultsOf(t, last.Out)
	if n := clitest.Outcomes(results); last.Code != client.ExitDone || n["REPLAYED"] != 4 || n["DONE"] != 2 {
		t.Errorf("%v, %+v", n, last)
	}
	names := make(map[string]int)
	for _, in := range e.Integrations(clitest.Token) {
		names[in.Name]++
	}
	if fmt.Sprint(names) != "map[lost:1 new:1 one:1 two:3]" || results[2].IntegrationID != candidates[0].IntegrationID {
		t.Errorf("%v, the settled row became %+v", names, results[2])
	}
}

// A copy by hand with a request id says what another attempt would do.
func TestCopy_RequestID_FailuresSayWhatTheIDStandsFor(t *testing.T) {
	addr, e := stand(t)
	for i, want := range []string{"A second call with the same --request-id is safe", "see `digate ledger show`"} {
		got := digate(t, "copy", resetAfter, "--request-id", "lost", "--addr", addr)
		if got.Code != client.ExitUnknown || !strings.Contains(got.Err, want) || !strings.Contains(got.Err, "see `digate ledger show`") {
			t.Errorf("attempt %d: %+v", i, got)
		}
	}
	if n := len(e.Integrations(clitest.Token)); n != 1 {
		t.Errorf("%d integrations", n)
	}
	made := digate(t, "copy", clitest.TemplateID, "--request-id", "gone", "--addr", addr)
	if made.Code != client.ExitDone {
		t.Fatalf("%+v", made)
	}
	var id string
	for _, in := range e.Integrations(clitest.Token) {
		if strings.Contains(made.Out, in.ID) {
			id = in.ID
		}
	}
	if got := digate(t, "integrations", "delete", id, "--yes", "--addr", addr); got.Code != client.ExitDone {
		t.Fatalf("%+v", got)
	}
	got := digate(t, "copy", clitest.TemplateID, "--request-id", "gone", "--addr", addr)
	if got.Code != client.ExitFailed || !strings.HasPrefix(got.Err, "DONE: ") || !strings.Contains(got.Err, "  created "+id+"\n") {
		t.Errorf("%+v", got)
	}
	got = digate(t, "copy", clitest.TemplateID, "--request-id", "gone", "--addr", addr, "-o", "json")
	if got.Code != client.ExitFailed || !strings.Contains(got.Err, `"integration_ids":["`+id+`"]`) {
		t.Errorf("%+v", got)
	}
}
