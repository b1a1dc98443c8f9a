package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
)

// resetAfter is the template of the emulator that makes a copy and resets the
// connection.
const resetAfter = "00000000-0000-4000-8000-000000000603"

// A whole life with a real server and its ledger: a run with a doubt in it, the
// doubt settled, rows moved and added, and the rest.
func TestBulk_WithTheServer_EndsWithEachRowOnceAndItsDoubtSettled(t *testing.T) {
	addr, e := stand(t)
	head, one, two, lost := "template_id,name\n", templateID+",one\n", templateID+",two\n", resetAfter+",lost\n"
	file := writeFile(t, "rows.csv", head+one+two+two+lost)
	first := digate(t, "bulk", file, "--addr", addr)
	results := resultsOf(t, first.out)
	if n := outcomes(results); first.code != exitUnknown || n[rowDone] != 3 || n[rowUnknown] != 1 || len(e.Integrations(token)) != 4 {
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
	if err := json.Unmarshal([]byte(shown.out), &found); err != nil || shown.code != exitDone {
		t.Fatalf("%v in %+v", err, shown)
	}
	candidates := found.Copy.Candidates
	if len(candidates) != 1 || candidates[0].Name != "lost" || !strings.Contains(results[5].Message, "ledger show "+id) {
		t.Fatalf("%+v, %+v", candidates, results[5])
	}

	again := digate(t, "bulk", file, "--addr", addr)
	if n := outcomes(resultsOf(t, again.out)); again.code != exitUnknown || n[rowReplayed] != 3 || n[rowUnknown] != 1 ||
		!strings.Contains(again.err, "it may have created "+candidates[0].IntegrationID) {
		t.Errorf("%v, %+v", n, again)
	}
	if got := digate(t, "ledger", "resolve", id, "--integration", candidates[0].IntegrationID, "--addr", addr, "--yes"); got.code != exitDone {
		t.Fatalf("%+v", got)
	}

	if err := os.WriteFile(file, []byte(head+lost+two+templateID+",new\n"+two+two+one), 0o600); err != nil {
		t.Fatal(err)
	}
	last := digate(t, "bulk", file, "--addr", addr)
	results = resultsOf(t, last.out)
	if n := outcomes(results); last.code != exitDone || n[rowReplayed] != 4 || n[rowDone] != 2 {
		t.Errorf("%v, %+v", n, last)
	}
	names := make(map[string]int)
	for _, in := range e.Integrations(token) {
		names[in.Name]++
	}
	if fmt.Sprint(names) != "map[lost:1 new:1 one:1 two:3]" || results[2].IntegrationID != candidates[0].IntegrationID {
		t.Errorf("%v, the settled row became %+v", names, results[2])
	}
}

func TestBulk_ResultsOrInputThatCannotBe_AreRefusedBeforeAnythingIsTouched(t *testing.T) {
	s := serveBulk(t)
	file := writeFile(t, "rows.csv", csvOf(2))
	if got := digate(t, "bulk", file, "--addr", s.addr); got.code != exitDone {
		t.Fatalf("%+v", got)
	}
	job, err := os.ReadFile(file + jobSuffix)
	if err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{
		"--results: is the file of the job": {"bulk", file, "--results", file + jobSuffix},
		"--results: is the input":           {"bulk", file, "--results", file},
		"is a directory":                    {"bulk", t.TempDir(), "--format", "csv"},
	} {
		if got := digate(t, append(args, "--addr", s.addr)...); got.code != exitUsage || !strings.Contains(got.err, name) {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if after, err := os.ReadFile(file + jobSuffix); err != nil || string(after) != string(job) {
		t.Errorf("the job's file was touched: %v", err)
	}
}

// A copy by hand with a request id says what another attempt would do.
func TestCopy_RequestID_FailuresSayWhatTheIDStandsFor(t *testing.T) {
	addr, e := stand(t)
	for i, want := range []string{"With the same --request-id it can be asked for again", "see `digate ledger show`"} {
		got := digate(t, "copy", resetAfter, "--request-id", "lost", "--addr", addr)
		if got.code != exitUnknown || !strings.Contains(got.err, want) {
			t.Errorf("attempt %d: %+v", i, got)
		}
	}
	if n := len(e.Integrations(token)); n != 1 {
		t.Errorf("%d integrations", n)
	}
	made := digate(t, "copy", templateID, "--request-id", "gone", "--addr", addr)
	if made.code != exitDone {
		t.Fatalf("%+v", made)
	}
	var id string
	for _, in := range e.Integrations(token) {
		if strings.Contains(made.out, in.ID) {
			id = in.ID
		}
	}
	if got := digate(t, "integrations", "delete", id, "--yes", "--addr", addr); got.code != exitDone {
		t.Fatalf("%+v", got)
	}
	got := digate(t, "copy", templateID, "--request-id", "gone", "--addr", addr)
	if got.code != exitFailed || !strings.HasPrefix(got.err, "DONE: ") || !strings.Contains(got.err, "  created "+id+"\n") {
		t.Errorf("%+v", got)
	}
	got = digate(t, "copy", templateID, "--request-id", "gone", "--addr", addr, "-o", "json")
	if got.code != exitFailed || !strings.Contains(got.err, `"integration_ids":["`+id+`"]`) {
		t.Errorf("%+v", got)
	}
}
