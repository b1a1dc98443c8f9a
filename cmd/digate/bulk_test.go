package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
)

// resultsOf reads results, and fails where a line of the input has two.
func resultsOf(t *testing.T, ndjson string) map[int]bulkResult {
	t.Helper()
	results := make(map[int]bulkResult)
	for line := range strings.Lines(ndjson) {
		var r bulkResult
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		if _, twice := results[r.Line]; twice {
			t.Errorf("line %d has two results", r.Line)
		}
		results[r.Line] = r
	}
	return results
}

// outcomes counts results by outcome.
func outcomes(results map[int]bulkResult) map[string]int {
	n := make(map[string]int)
	for _, r := range results {
		n[r.Outcome]++
	}
	return n
}

func TestBulk_EveryField_ReachesTheServer(t *testing.T) {
	keyFile := writeFile(t, "key", apiKey+"\n")
	t.Setenv("SHOP_KEY", varSec)
	for name, content := range map[string]string{
		"rows.csv": "\ufefftemplate_id,name,base_url,api_key_file,var.shop,var.tags:json,var_env.key\r\n" +
			templateID + ",\"Shop, the first\",https://x.example," + keyFile + ",acme,\"[1,{\"\"a\"\":null}]\",SHOP_KEY\r\n",
		"rows.ndjson": fmt.Sprintf(`{"template_id":%q,"name":"Shop, the first","base_url":"https://x.example","api_key_file":%q,"variables":{"shop":"acme","tags":[1,{"a":null}]},"variables_env":{"key":"SHOP_KEY"}}`, templateID, keyFile),
	} {
		s := serveBulk(t)
		file := writeFile(t, name, content)
		got := digate(t, "bulk", file, "--addr", s.addr)
		if got.code != exitDone || len(s.order) != 1 {
			t.Fatalf("%s: %+v", name, got)
		}
		checkNoSecret(t, got)
		b, err := json.Marshal(s.order[0].GetVariables().AsMap())
		if err != nil {
			t.Fatal(err)
		}
		req := s.order[0]
		if req.GetTemplateId() != templateID || req.GetName() != "Shop, the first" || req.GetBaseUrl() != "https://x.example" || req.GetApiKey() != apiKey ||
			string(b) != `{"key":"`+varSec+`","shop":"acme","tags":[1,{"a":null}]}` {
			t.Errorf("%s: %v", name, req)
		}
		r := resultsOf(t, got.out)[map[string]int{"rows.csv": 2, "rows.ndjson": 1}[name]]
		if r.Outcome != rowDone || r.IntegrationID != "of-"+r.RequestID || r.RequestID != req.GetRequestId() {
			t.Errorf("%s: %+v", name, r)
		}
		if !strings.Contains(got.err, "1 row in ") || !strings.Contains(got.err, ": 1 done\n") || strings.Contains(got.err, "To go on") {
			t.Errorf("%s", got.err)
		}
	}
}

// Only what is written differs, so a file can be kept in either form.
func TestBulk_SameRowInBothForms_HasTheSameID(t *testing.T) {
	c, err := compileContract()
	if err != nil {
		t.Fatal(err)
	}
	job := uuid{15: 1}
	ids := make(map[string]bool)
	for name, content := range map[string]string{
		"a.csv":    "name,template_id,var.b:json,var.a,api_key_env\nn," + templateID + ",1,x,K\n",
		"b.csv":    "api_key_env,var.a,template_id,var.b:json,var.unused,name\nK,x," + templateID + ",1.0,,n\n",
		"c.ndjson": `{"variables":{"a":"x","b":1},"api_key_env":"K","name":"n","base_url":null,"template_id":"` + templateID + `"}`,
	} {
		input := &bulkInput{path: writeFile(t, name, content), format: formatOf(name), varPrefix: "var.", contract: c}
		rows, err := input.open(job, discardWarning)
		if err != nil {
			t.Fatal(err)
		}
		row, err := rows.next()
		rows.close()
		if err != nil || row.err != nil {
			t.Fatal(err, row.err)
		}
		ids[row.copy.GetRequestId()] = true
	}
	// An interrupted job may be gone on with by a later version, so that the id
	// may never change.
	const want = "cf2d234a-f50b-5b44-bc3e-84fe111287fb"
	if len(ids) != 1 || !ids[want] {
		t.Errorf("%v, want %s", ids, want)
	}
}

func TestNamedUUID_IsThatOfTheStandard(t *testing.T) {
	var dns uuid
	if err := dns.UnmarshalText([]byte("6ba7b810-9dad-11d1-80b4-00c04fd430c8")); err != nil {
		t.Fatal(err)
	}
	if got := newNamedUUID(dns, []byte("www.example.com")).String(); got != "2ed6657d-e927-568b-95e1-2665a8aea6a2" { // RFC 9562, A.4
		t.Error(got)
	}
	for _, text := range []string{"", "x", "6BA7B810-9dad-11d1-80b4-00c04fd430c8", "6ba7b8109dad11d180b400c04fd430c8", "6ba7b810-9dad-11d1-80b4-00c04fd430c", "-6ba7b810-9dad-11d1-80b4-00c04fd430c"} {
		if new(uuid).UnmarshalText([]byte(text)) == nil {
			t.Errorf("%q was taken", text)
		}
	}
	if a, b := newUUID(), newUUID(); a == b || a.String()[14] != '4' {
		t.Error(a, b)
	}
}

func TestBulk_BrokenStreams_EveryRowIsCopiedOnceAndReportedOnce(t *testing.T) {
	s := serveBulk(t)
	s.item = func(n int, _ *integrationv1.CopyTemplateRequest) bulkVerdict {
		switch n {
		case 1, 40:
			return bulkVerdict{cut: cutOff}
		case 9, 23, 60:
			return bulkVerdict{cut: cutOff, after: true}
		}
		return carryOut
	}
	got := digate(t, "bulk", writeFile(t, "rows.csv", csvOf(50)), "--addr", s.addr, "--concurrency", "7")
	results := resultsOf(t, got.out)
	n := outcomes(results)
	if got.code != exitDone || len(results) != 50 || n[rowDone]+n[rowReplayed] != 50 || n[rowReplayed] < 2 {
		t.Errorf("%v, %+v", n, got)
	}
	if names := s.names(); len(names) != 50 || len(slices.Compact(names)) != 50 {
		t.Errorf("copied: %v", names)
	}
	if s.mostOwed > 7 {
		t.Errorf("%d were in flight", s.mostOwed)
	}
}

func TestBulk_InterruptedAndRunAgainWithRowsAddedMovedAndEqual_CopiesNothingTwice(t *testing.T) {
	s := serveBulk(t)
	row := func(name string) string { return templateID + "," + name + "\n" }
	const header = "template_id,name\n"
	file := writeFile(t, "rows.csv", header+row("a")+row("twin")+row("b")+row("twin")+row("c")+row("d"))
	s.item = func(n int, _ *integrationv1.CopyTemplateRequest) bulkVerdict {
		return bulkVerdict{held: n == 4}
	}
	first := begin(t, nil, "bulk", file, "--addr", s.addr, "--concurrency", "1")
	awaitItems(t, s, 4)
	first.interrupt()
	first.err.await(t, "interrupted: nothing new is begun")
	s.stop() // the grace would be long
	got := first.wait(t)
	if n := outcomes(resultsOf(t, got.out)); got.code != exitUnknown || n[rowDone] != 3 || n[rowUnknown] != 1 || n[rowNotSent] != 2 {
		t.Fatalf("%v, %+v", n, got)
	}
	if !slices.Equal(s.names(), []string{"a", "b", "twin"}) {
		t.Fatal(s.names())
	}

	s.item = nil
	s.start(t, s.addr)
	writeAgain(t, file, header+row("new")+row("twin")+row("twin")+row("d")+row("twin")+row("c")+row("b")+row("a")+row("new"))
	got = digate(t, "bulk", file, "--addr", s.addr)
	if n := outcomes(resultsOf(t, got.out)); got.code != exitDone || n[rowReplayed] != 3 || n[rowDone] != 6 {
		t.Errorf("%v, %+v", n, got)
	}
	if want := []string{"a", "b", "c", "d", "new", "new", "twin", "twin", "twin"}; !slices.Equal(s.names(), want) {
		t.Errorf("copied %v, want %v", s.names(), want)
	}
	got = digate(t, "bulk", file, "--addr", s.addr, "--new-job")
	if n := outcomes(resultsOf(t, got.out)); got.code != exitDone || n[rowDone] != 9 || len(s.names()) != 18 {
		t.Errorf("a new job: %v, %+v", n, got)
	}
}

func writeAgain(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// awaitItems returns when the server has seen so many.
func awaitItems(t *testing.T, s *bulkServer, n int) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		if items, _ := s.seen(); items >= n {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d items did not come", n)
		}
	}
}

func TestBulk_Interrupted_ShowsTheCommandThatGoesOn(t *testing.T) {
	s := serveBulk(t)
	s.item = func(n int, _ *integrationv1.CopyTemplateRequest) bulkVerdict { return bulkVerdict{held: n == 2} }
	dir := t.TempDir()
	file := filepath.Join(dir, "my rows.csv")
	writeAgain(t, file, "name,v.x\nn-0,1\nn-1,2\nn-2,3\n")
	results := filepath.Join(dir, "results.ndjson")
	i := begin(t, nil, "bulk", file, "--addr", s.addr, "--template", templateID, "--var-prefix", "v.", "--concurrency", "1", "--results", results, "--progress", "never", "--timeout", "10m", "--keep-going")
	awaitItems(t, s, 2)
	i.interrupt()
	i.err.await(t, "Ctrl-C again ends at once")
	s.stop()
	got := i.wait(t)
	_, command, _ := strings.Cut(got.err, "To go on with what is not done:\n  ")
	for _, want := range []string{"bulk '" + file + "'", "--addr " + s.addr, "--template " + templateID, "--var-prefix v.", "--concurrency 1", "--results " + results, "--progress never", "--timeout 10m0s", "--keep-going"} {
		if !strings.Contains(command, want) {
			t.Errorf("no %s in %s", want, command)
		}
	}
	if got.out != "" || got.code != exitUnknown || !strings.Contains(got.err, "3 rows in ") || !strings.Contains(got.err, "1 done, 1 not sent, 1 in doubt") {
		t.Errorf("%+v", got)
	}
	s.item = nil
	s.start(t, s.addr)
	words := strings.Fields(strings.ReplaceAll(command[strings.Index(command, " bulk ")+1:], "'"+file+"'", "FILE"))
	words[slices.Index(words, "FILE")] = file
	if got := digate(t, words...); got.code != exitDone || len(s.names()) != 3 {
		t.Errorf("%+v", got)
	}
	b, err := os.ReadFile(results)
	if err != nil || len(resultsOf(t, string(b))) != 3 {
		t.Errorf("%v: %s", err, b)
	}
}

func TestBulk_NoSecret_IsWrittenAnywhere(t *testing.T) {
	s := serveBulk(t)
	s.item = func(n int, _ *integrationv1.CopyTemplateRequest) bulkVerdict {
		return []bulkVerdict{carryOut, {fail: rejected()}, {fail: apierror.AnswerLost(nil, true).GRPCStatus().Err()}}[n%3]
	}
	t.Setenv("SHOP_KEY", apiKey)
	dir := t.TempDir()
	file := filepath.Join(dir, "rows.csv")
	writeAgain(t, file, "name,api_key_env,api_key,var_file.x\n"+
		"a,SHOP_KEY,,"+writeFile(t, "x", varSec)+"\nb,,"+apiKey+"-1,\nc,,"+apiKey+"-2,\nd,NOT_THERE,,\n"+
		"e,SHOP_KEY,"+apiKey+",\nf,DIGATE_TOKEN,,\ng,,,"+dir+"/nothing\n")
	for _, format := range []string{"ndjson", "csv"} {
		got := digate(t, "bulk", file, "--addr", s.addr, "--template", templateID, "--results", filepath.Join(dir, "results"), "--results-format", format, "--keep-going")
		if got.code != exitUnknown {
			t.Fatalf("%+v", got)
		}
		checkNoSecret(t, got)
		if strings.Count(got.err, "an api_key stands in the input") != 1 {
			t.Errorf("%s", got.err)
		}
		for _, name := range []string{"rows.csv.digate-job", "results"} {
			path := filepath.Join(dir, name)
			b, err := os.ReadFile(path)
			if err != nil || strings.Contains(string(b), "hunter2") {
				t.Errorf("%s: %v\n%s", name, err, b)
			}
			if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
				t.Errorf("%s: %v, %v", name, info.Mode(), err)
			}
		}
	}
	for _, want := range []string{"line 5: NOT_SENT: api_key_env: the environment has no NOT_THERE", "line 6: NOT_SENT: the api_key is set twice", "line 7: NOT_SENT: api_key_env: a row may not name", "noth: no such file"} {
		got := digate(t, "bulk", file, "--addr", s.addr, "--template", templateID, "--keep-going")
		if want = strings.ReplaceAll(want, "nothing: ", dir+"/nothing: "); !strings.Contains(got.err, want) && want != "nothing" {
			t.Logf("no %q in %s", want, got.err)
		}
	}
}

func TestBulk_DryRun_NamesEveryRowThatWouldFailAndSendsNothing(t *testing.T) {
	s := serveBulk(t)
	t.Setenv("SHOP_KEY", "hunter2")
	for name, row := range map[string]struct {
		file, content string
		code          int
		want          []string
	}{
		"good": {"r.csv", csvOf(3), exitDone, []string{"3 rows, none malformed; nothing was sent"}},
		"bad": {"r.csv", "template_id,name,var.n:json,api_key_env,api_key_file,var_env.n\n" +
			"x,,,,,\n" + templateID + ",a,hunter2,,,\n" + templateID + ",b,1,NOT_THERE,,\n" + templateID + ",c\n" +
			templateID + ",d,,SHOP_KEY,,\n" + templateID + ",e,,,/nonexistent,\n" + templateID + ",f,1,,,SHOP_KEY\n" + templateID + ",g,,SHOP_KEY,/x,\n" +
			templateID + ",h\xff,,,,\n\n,i,,,,\n" + templateID + ",j,18446744073709551615,,,\n", exitUsage,
			[]string{"line 2: template_id: must be", "line 3: the variable n: must be one JSON value", "line 4: api_key_env: the environment has no NOT_THERE",
				"line 5: has another number of cells", "line 7: api_key_file: open /nonexistent", "line 8: the variable n is set twice", "line 9: the api_key is set twice",
				"line 10: name is not UTF-8", "line 12: template_id: must be", "line 13: the variable n: ", "malformed: 10 of 11 rows"}},
		"quote":          {"r.csv", "template_id,name\n" + templateID + ",\"a\n" + templateID + ",b\n", exitUsage, []string{"line 2: a quote is missing", "1 of 1 row"}},
		"quote, endless": {"r.csv", "template_id,name\n" + templateID + ",x\n" + templateID + ",\"" + strings.Repeat("hunter2\n", maxRow/4), exitUsage, []string{"line 3: the row is larger", "1 of 2 rows"}},
		"equal but for the key": {"r.csv", "template_id,name,api_key\n" + templateID + ",a,hunter2\n" + templateID + ",a,hunter3\n" + templateID + ",a,hunter2\n", exitUsage,
			[]string{"line 3: differs from an earlier row in its api_key alone", "1 of 3 rows"}},
		"unknown column": {"r.csv", "template_id,nmae\n", exitUsage, []string{`unknown column "nmae"`}},
		"column twice":   {"r.csv", "template_id,name,name\n", exitUsage, []string{`the column "name" stands there twice`}},
		"no template":    {"r.csv", "name\n", exitUsage, []string{"no column template_id, and no --template"}},
		"no header":      {"r.csv", "", exitUsage, []string{"there is no header row"}},
		"ndjson": {"r.ndjson", `{"template_id":"` + templateID + `","variables":{"a":1}}` + "\n\n" + `{"template_id":"x"}` + "\n" + `{"nmae":"hunter2"}` + "\n" + `{"name":7}` + "\n" + `{"name":"a","name":"hunter2"}` + "\n" +
			`["hunter2"]` + "\n" + `{"name":"hunter2` + "\n" + `{"template_id":"` + templateID + `","api_key":"hunter2","api_key_env":"SHOP_KEY"}` + "\n" +
			`{"template_id":"` + templateID + `","variables":{"a":1},"variables_env":{"a":"SHOP_KEY"}}` + "\n" + `{"variables_env":{"a":1}}` + "\n" + `{"request_id":"x"}` + "\n" +
			`{"name":"` + strings.Repeat("hunter2", maxRow/7+1) + `"}` + "\n" + `{"template_id":"` + templateID + `"}`, exitUsage,
			[]string{"line 3: template_id: must be", `line 4: unknown field "nmae"`, "line 5: name: ", "line 6: name: ", "line 7: ", "line 8: ", "line 9: the api_key is set twice",
				"line 10: the variable a is set twice", "line 11: variables_env: must be names", `line 12: unknown field "request_id"`, "line 13: the row is larger", "11 of 13 rows"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := digate(t, "bulk", writeFile(t, row.file, row.content), "--addr", s.addr, "--dry-run")
			if got.code != row.code {
				t.Errorf("%+v", got)
			}
			for _, want := range row.want {
				if !strings.Contains(got.out+got.err, want) {
					t.Errorf("no %q in:\n%s%s", want, got.out, got.err)
				}
			}
			checkNoSecret(t, got)
			if piped := digateWith(t, row.content, "bulk", "-", "--format", formatOf(row.file), "--addr", s.addr, "--dry-run"); piped.code != got.code || piped.out != got.out {
				t.Errorf("from standard input: %+v", piped)
			}
		})
	}
	if _, streams := s.seen(); streams != 0 {
		t.Error("something was sent")
	}
}

func TestBulk_MalformedRows_KeepAFileBackUnlessTheyMayBeLeftOut(t *testing.T) {
	s := serveBulk(t)
	content := "template_id,name\n" + templateID + ",a\nx,b\n" + templateID + ",c\n"
	file := writeFile(t, "rows.csv", content)
	got := digate(t, "bulk", file, "--addr", s.addr)
	if got.code != exitUsage || got.out != "" || !strings.Contains(got.err, "line 3: template_id: must be") || !strings.Contains(got.err, "malformed: 1 of 3 rows, so nothing was sent") {
		t.Errorf("%+v", got)
	}
	if _, err := os.Stat(file + jobSuffix); err == nil || len(s.names()) != 0 {
		t.Error("something was begun")
	}
	want := map[int]string{2: rowDone, 3: rowNotSent, 4: rowDone}
	for name, got := range map[string]ran{
		"file":           digate(t, "bulk", file, "--addr", s.addr, "--keep-going"),
		"standard input": digateWith(t, content, "bulk", "-", "--format", "csv", "--addr", s.addr, "--job", t.TempDir()+"/job"),
	} {
		results := resultsOf(t, got.out)
		for line, outcome := range want {
			if results[line].Outcome != outcome {
				t.Errorf("%s: line %d: %+v", name, line, results[line])
			}
		}
		if got.code != exitNotSent || results[3].Reason != reasonInvalidRow || results[3].Message == "" {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if got := digateWith(t, content, "bulk", "-", "--format", "csv", "--addr", s.addr); got.code != exitUsage || !strings.Contains(got.err, "--job: name a file") {
		t.Errorf("%+v", got)
	}
}

func TestBulk_InvitedToAskAgain_DoesAFewTimes(t *testing.T) {
	s := serveBulk(t)
	tried := make(map[string]int)
	s.item = func(_ int, req *integrationv1.CopyTemplateRequest) bulkVerdict {
		tried[req.GetName()]++
		if req.GetName() == "n-1" && tried["n-1"] < 3 || req.GetName() == "n-3" && tried["n-3"] < 2 {
			return bulkVerdict{fail: apierror.Overloaded().GRPCStatus().Err()}
		}
		return carryOut
	}
	got := digate(t, "bulk", writeFile(t, "rows.csv", csvOf(5)), "--addr", s.addr, "--concurrency", "2")
	if n := outcomes(resultsOf(t, got.out)); got.code != exitDone || n[rowDone] != 5 || tried["n-1"] != 3 || tried["n-3"] != 2 {
		t.Errorf("%v, %v, %+v", n, tried, got)
	}
}

func TestBulk_Outcomes_AreReportedAndTheWorstIsTheExitCode(t *testing.T) {
	s := serveBulk(t)
	notSent := apierror.InvalidRequest(apierror.Violation{Field: "name", Description: "is bad"}).GRPCStatus().Err()
	verdicts := map[string]bulkVerdict{
		"n-1": {fail: notSent},
		"n-2": {fail: rejected()},
		"n-3": {fail: status.Error(codes.Aborted, "in doubt\x1b[2J")},
	}
	s.item = func(_ int, req *integrationv1.CopyTemplateRequest) bulkVerdict { return verdicts[req.GetName()] }
	for rows, code := range map[int]int{1: exitDone, 2: exitNotSent, 3: exitRejected, 4: exitUnknown} {
		got := digate(t, "bulk", writeFile(t, "rows.csv", csvOf(rows)), "--addr", s.addr, "--results-format", "csv")
		records, err := csv.NewReader(strings.NewReader(got.out)).ReadAll()
		if err != nil || got.code != code || len(records) != rows+1 {
			t.Fatalf("%v, %d rows: %+v", err, rows, got)
		}
		if _, bad := harmful(got.out + got.err); bad {
			t.Errorf("%+v", got)
		}
		if strings.Contains(got.err, "To go on with") != (rows > 1) {
			t.Errorf("%s", got.err)
		}
		if rows < 4 {
			continue
		}
		if r := records[3]; r[2] != rowRejected || r[4] != "NOT_FOUND" || r[5] != "INTEGRATION_TEMPLATE_NOT_FOUND" || r[6] != "no such template" {
			t.Errorf("%q", r)
		}
		if r := records[4]; r[2] != rowUnknown || r[4] != "ABORTED" || !strings.Contains(r[6], "ledger show "+r[1]+" --addr "+s.addr) {
			t.Errorf("%q", r)
		}
		for _, want := range []string{"line 3: NOT_SENT: name: is bad", "line 4: REJECTED: no such template", "line 5: UNKNOWN: in doubt", "1 done, 1 not sent, 1 rejected, 1 in doubt"} {
			if !strings.Contains(got.err, want) {
				t.Errorf("no %q in %s", want, got.err)
			}
		}
	}
}
