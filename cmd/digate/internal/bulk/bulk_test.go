package bulk

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/clitest"
	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
)

func TestBulk_EveryField_ReachesTheServer(t *testing.T) {
	keyFile := clitest.WriteFile(t, "key", clitest.APIKey+"\n")
	t.Setenv("SHOP_KEY", clitest.VarSecret)
	for name, content := range map[string]string{
		"rows.csv": "\ufefftemplate_id,name,base_url,api_key_file,var.shop,var.tags:json,var_env.key\r\n" +
			clitest.TemplateID + ",\"Shop, the first\",https://x.example," + keyFile + ",acme,\"[1,{\"\"a\"\":null}]\",SHOP_KEY\r\n",
		"rows.ndjson": fmt.Sprintf(`{"template_id":%q,"name":"Shop, the first","base_url":"https://x.example","api_key_file":%q,"variables":{"shop":"acme","tags":[1,{"a":null}]},"variables_env":{"key":"SHOP_KEY"}}`, clitest.TemplateID, keyFile),
	} {
		s := serve(t)
		file := clitest.WriteFile(t, name, content)
		got := digate(t, "bulk", file, "--addr", s.addr)
		if got.Code != client.ExitDone || len(s.order) != 1 {
			t.Fatalf("%s: %+v", name, got)
		}
		clitest.CheckNoSecret(t, got)
		b, err := json.Marshal(s.order[0].GetVariables().AsMap())
		if err != nil {
			t.Fatal(err)
		}
		req := s.order[0]
		if req.GetTemplateId() != clitest.TemplateID || req.GetName() != "Shop, the first" || req.GetBaseUrl() != "https://x.example" || req.GetApiKey() != clitest.APIKey ||
			string(b) != `{"key":"`+clitest.VarSecret+`","shop":"acme","tags":[1,{"a":null}]}` {
			t.Errorf("%s: %v", name, req)
		}
		r := clitest.ResultsOf(t, got.Out)[map[string]int{"rows.csv": 2, "rows.ndjson": 1}[name]]
		if r.Outcome != rowDone || r.IntegrationID != "of-"+r.RequestID || r.RequestID != req.GetRequestId() {
			t.Errorf("%s: %+v", name, r)
		}
		if !strings.Contains(got.Err, "1 row in ") || !strings.Contains(got.Err, ": 1 made\n") || strings.Contains(got.Err, "To go on") {
			t.Errorf("%s", got.Err)
		}
	}
}

// A row with a number that a double does not hold is sent digit for digit, and has one
// id in both forms.
func TestBulk_NumbersOfManyDigits_ReachTheServerInFull(t *testing.T) {
	t.Setenv("SHOP_KEY", clitest.VarSecret)
	for name, content := range map[string]string{
		"rows.csv":    "template_id,var.shop,var.n:json,var.m:json,var_env.key\n" + clitest.TemplateID + ",acme,1234567890123456789,[0.5],SHOP_KEY\n",
		"rows.ndjson": fmt.Sprintf(`{"template_id":%q,"variables":{ "shop":"acme","m":[0.5], "n":1234567890123456789},"variables_env":{"key":"SHOP_KEY"}}`, clitest.TemplateID),
	} {
		s := serve(t)
		got := digate(t, "bulk", clitest.WriteFile(t, name, content), "--addr", s.addr)
		if got.Code != client.ExitDone || len(s.order) != 1 {
			t.Fatalf("%s: %+v", name, got)
		}
		clitest.CheckNoSecret(t, got)
		var variables map[string]json.RawMessage
		if err := json.Unmarshal([]byte(s.order[0].GetVariablesJson()), &variables); err != nil || s.order[0].Variables != nil || len(variables) != 4 {
			t.Fatalf("%s: %v, %v", name, s.order[0], err)
		}
		for variable, want := range map[string]string{"shop": `"acme"`, "n": "1234567890123456789", "m": "[0.5]", "key": `"` + clitest.VarSecret + `"`} {
			if string(variables[variable]) != want {
				t.Errorf("%s: %s is %s", name, variable, variables[variable])
			}
		}
	}
	ids := make(map[string]bool)
	for name, content := range map[string]string{
		"a.csv":    "template_id,var.n:json,var.a\n" + clitest.TemplateID + ",1234567890123456789,x\n",
		"b.csv":    "var.a,template_id,var.n:json\nx," + clitest.TemplateID + ", 1234567890123456789 \n",
		"c.ndjson": `{"variables":{"n":1234567890123456789,"a":"x"},"template_id":"` + clitest.TemplateID + `"}`,
	} {
		ids[idOf(t, name, content)] = true
	}
	if len(ids) != 1 || ids[idOf(t, "d.csv", "template_id,var.n:json,var.a\n"+clitest.TemplateID+",1234567890123456788,x\n")] {
		t.Errorf("%v", ids)
	}
}

// idOf returns the request id of the first row.
func idOf(t *testing.T, name, content string) string {
	t.Helper()
	c, err := compileContract()
	if err != nil {
		t.Fatal(err)
	}
	in := &input{path: clitest.WriteFile(t, name, content), format: formatOf(name), varPrefix: "var.", contract: c}
	rows, err := in.open(t.Context(), &job{ID: uuid.UUID{15: 1}}, discardWarning)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.close()
	next, err := rows.next()
	if err != nil || next.err != nil {
		t.Fatal(err, next.err)
	}
	return next.copy.GetRequestId()
}

// Only what is written differs, so a file can be kept in either form.
func TestBulk_SameRowInBothForms_HasTheSameID(t *testing.T) {
	ids := make(map[string]bool)
	for name, content := range map[string]string{
		"a.csv":    "name,template_id,var.b:json,var.a,api_key_env\nn," + clitest.TemplateID + ",1,x,K\n",
		"b.csv":    "api_key_env,var.a,template_id,var.b:json,var.unused,name\nK,x," + clitest.TemplateID + ",1.0,,n\n",
		"d.csv":    "name,template_id,var.b:json,var.a,api_key_env\nn," + strings.ToUpper(clitest.TemplateID) + ",1e0,x,K\n",
		"c.ndjson": `{"variables":{"a":"x","b":1},"api_key_env":"K","name":"n","base_url":null,"template_id":"` + clitest.TemplateID + `"}`,
	} {
		ids[idOf(t, name, content)] = true
	}
	// An interrupted job may be resumed by a later version, so that the id
	// may never change.
	const want = "cf2d234a-f50b-5b44-bc3e-84fe111287fb"
	if len(ids) != 1 || !ids[want] {
		t.Errorf("%v, want %s", ids, want)
	}
}

func TestBulk_BrokenStreams_EveryRowIsCopiedOnceAndReportedOnce(t *testing.T) {
	s := serve(t)
	s.item = func(n int, _ *integrationv1.CopyTemplateRequest) verdict {
		switch n {
		case 1, 40:
			return verdict{cut: errCutOff}
		case 9, 23, 60:
			return verdict{cut: errCutOff, after: true}
		}
		return carryOut
	}
	got := digate(t, "bulk", clitest.WriteFile(t, "rows.csv", csvOf(50)), "--addr", s.addr, "--concurrency", "7")
	results := clitest.ResultsOf(t, got.Out)
	n := clitest.Outcomes(results)
	if got.Code != client.ExitDone || len(results) != 50 || n[rowDone]+n[rowReplayed] != 50 || n[rowReplayed] < 2 {
		t.Errorf("%v, %+v", n, got)
	}
	if names := s.names(); len(names) != 50 || len(slices.Compact(names)) != 50 {
		t.Errorf("copied: %v", names)
	}
	if !strings.Contains(got.Err, "the connection to digate was lost; connecting again") || strings.Contains(got.Err, "Unavailable") {
		t.Errorf("%s", got.Err)
	}
	if s.mostOwed > 7 {
		t.Errorf("%d were in flight", s.mostOwed)
	}
}

func TestBulk_InterruptedAndRunAgainWithRowsAddedMovedAndEqual_CopiesNothingTwice(t *testing.T) {
	s := serve(t)
	row := func(name string) string { return clitest.TemplateID + "," + name + "\n" }
	const header = "template_id,name\n"
	file := clitest.WriteFile(t, "rows.csv", header+row("a")+row("twin")+row("b")+row("twin")+row("c")+row("d"))
	s.item = func(n int, _ *integrationv1.CopyTemplateRequest) verdict {
		return verdict{held: n == 4}
	}
	first := begin(t, nil, "bulk", file, "--addr", s.addr, "--concurrency", "1")
	awaitItems(t, s, 4)
	first.interrupt()
	first.err.Await(t, "interrupted: nothing new is begun")
	s.stop() // the grace would be long
	got := first.wait(t)
	if n := clitest.Outcomes(clitest.ResultsOf(t, got.Out)); got.Code != client.ExitUnknown || n[rowDone] != 3 || n[rowUnknown] != 1 || n[rowNotSent] != 2 {
		t.Fatalf("%v, %+v", n, got)
	}
	if !slices.Equal(s.names(), []string{"a", "b", "twin"}) {
		t.Fatal(s.names())
	}

	s.item = nil
	s.start(t, s.addr)
	writeAgain(t, file, header+row("new")+row("twin")+row("twin")+row("d")+row("twin")+row("c")+row("b")+row("a")+row("new"))
	got = digate(t, "bulk", file, "--addr", s.addr)
	if n := clitest.Outcomes(clitest.ResultsOf(t, got.Out)); got.Code != client.ExitDone || n[rowReplayed] != 3 || n[rowDone] != 6 {
		t.Errorf("%v, %+v", n, got)
	}
	if want := []string{"a", "b", "c", "d", "new", "new", "twin", "twin", "twin"}; !slices.Equal(s.names(), want) {
		t.Errorf("copied %v, want %v", s.names(), want)
	}
	got = digate(t, "bulk", file, "--addr", s.addr, "--new-job", "--existing=copy")
	if n := clitest.Outcomes(clitest.ResultsOf(t, got.Out)); got.Code != client.ExitDone || n[rowDone] != 9 || len(s.names()) != 18 {
		t.Errorf("a new job: %v, %+v", n, got)
	}
}

func writeAgain(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// The results have the outcomes. A loop of a shell over several files must end.
func TestBulk_CtrlC_WritesItsResultsAndExitsWith130(t *testing.T) {
	s := serve(t)
	s.item = func(n int, _ *integrationv1.CopyTemplateRequest) verdict { return verdict{held: n == 2} }
	file := filepath.Join(t.TempDir(), "rows.csv")
	writeAgain(t, file, "name,v.x\nn-0,1\nn-1,2\nn-2,3\n")
	i := begin(t, nil, "bulk", file, "--addr", s.addr, "--template", clitest.TemplateID, "--var-prefix", "v.", "--concurrency", "1", "--progress", "never")
	awaitItems(t, s, 2)
	i.ctrlC()
	i.err.Await(t, "Ctrl-C again ends at once")
	s.stop()
	if got := i.wait(t); got.Code != client.ExitInterrupted || !strings.Contains(got.Err, "1 made, 1 not made, 1 in doubt") || len(clitest.ResultsOf(t, got.Out)) != 3 {
		t.Errorf("%+v", got)
	}
}

func TestBulk_Interrupted_ShowsTheCommandThatGoesOn(t *testing.T) {
	s := serve(t)
	s.item = func(n int, _ *integrationv1.CopyTemplateRequest) verdict { return verdict{held: n == 2} }
	dir := t.TempDir()
	file := filepath.Join(dir, "my rows.csv")
	writeAgain(t, file, "name,v.x\nn-0,1\nn-1,2\nn-2,3\n")
	results := filepath.Join(dir, "results.ndjson")
	i := begin(t, nil, "bulk", file, "--addr", s.addr, "--template", clitest.TemplateID, "--var-prefix", "v.", "--concurrency", "1", "--results", results, "--progress", "never", "--timeout", "10m", "--keep-going")
	awaitItems(t, s, 2)
	i.interrupt()
	i.err.Await(t, "Ctrl-C again ends at once")
	s.stop()
	got := i.wait(t)
	_, command, _ := strings.Cut(got.Err, "To continue with the rows that are not made:\n  ")
	for _, want := range []string{"bulk '" + file + "'", "--addr " + s.addr, "--template " + clitest.TemplateID, "--var-prefix v.", "--concurrency 1", "--results " + results, "--progress never", "--timeout 10m0s", "--keep-going"} {
		if !strings.Contains(command, want) {
			t.Errorf("no %s in %s", want, command)
		}
	}
	if got.Out != "" || got.Code != client.ExitUnknown || !strings.Contains(got.Err, "3 rows in ") || !strings.Contains(got.Err, "1 made, 1 not made, 1 in doubt") {
		t.Errorf("%+v", got)
	}
	s.item = nil
	s.start(t, s.addr)
	words := strings.Fields(strings.ReplaceAll(command[strings.Index(command, " bulk ")+1:], "'"+file+"'", "FILE"))
	words[slices.Index(words, "FILE")] = file
	if got := digate(t, words...); got.Code != client.ExitDone || len(s.names()) != 3 {
		t.Errorf("%+v", got)
	}
	b, err := os.ReadFile(results)
	if err != nil || len(clitest.ResultsOf(t, string(b))) != 3 {
		t.Errorf("%v: %s", err, b)
	}
}

func TestBulk_NoSecret_IsWrittenAnywhere(t *testing.T) {
	s := serve(t)
	s.item = func(n int, _ *integrationv1.CopyTemplateRequest) verdict {
		return []verdict{carryOut, {fail: rejected()}, {fail: apierror.ResponseLost(nil, true).GRPCStatus().Err()}}[n%3]
	}
	t.Setenv("SHOP_KEY", clitest.APIKey)
	dir := t.TempDir()
	file := filepath.Join(dir, "rows.csv")
	writeAgain(t, file, "name,api_key_env,api_key,var_file.x\n"+
		"a,SHOP_KEY,,"+clitest.WriteFile(t, "x", clitest.VarSecret)+"\nb,,"+clitest.APIKey+"-1,\nc,,"+clitest.APIKey+"-2,\nd,NOT_THERE,,\n"+
		"e,SHOP_KEY,"+clitest.APIKey+",\nf,DIGATE_TOKEN,,\ng,,,"+dir+"/nothing\n")
	for _, format := range []string{"ndjson", "csv"} {
		got := digate(t, "bulk", file, "--addr", s.addr, "--template", clitest.TemplateID, "--results", filepath.Join(dir, "results"), "--results-format", format, "--keep-going")
		if got.Code != client.ExitUnknown {
			t.Fatalf("%+v", got)
		}
		clitest.CheckNoSecret(t, got)
		if strings.Count(got.Err, "the input holds an api_key") != 1 || strings.Count(got.Err, "line 5, d: ") != 1 {
			t.Errorf("%s", got.Err)
		}
		for _, want := range []string{"line 5, d: not made: api_key_env: the environment has no NOT_THERE", "line 6, e: not made: the api_key is set twice",
			"line 7, f: not made: api_key_env: a row may not name", "line 8, g: not made: the variable x: open " + dir + "/nothing: no such file"} {
			if !strings.Contains(got.Err, want) {
				t.Errorf("no %q in %s", want, got.Err)
			}
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
}

func TestBulk_DryRun_NamesEveryRowThatWouldFailAndSendsNothing(t *testing.T) {
	s := serve(t)
	s.base = "https://<<n>>"
	t.Setenv("SHOP_KEY", "hunter2")
	for name, row := range map[string]struct {
		file, content string
		code          int
		want          []string
	}{
		"good": {"r.csv", csvOf(3), client.ExitNotSent, []string{"<<n>> in base_url has no value", "3 rows, none malformed, 3 would need setup; nothing was sent"}},
		"bad": {"r.csv", "template_id,name,var.n:json,api_key_env,api_key_file,var_env.n\n" +
			"x,,,,,\n" + clitest.TemplateID + ",a,hunter2,,,\n" + clitest.TemplateID + ",b,1,NOT_THERE,,\n" + clitest.TemplateID + ",c\n" +
			clitest.TemplateID + ",d,,SHOP_KEY,,\n" + clitest.TemplateID + ",e,,,/nonexistent,\n" + clitest.TemplateID + ",f,1,,,SHOP_KEY\n" + clitest.TemplateID + ",g,,SHOP_KEY,/x,\n" +
			clitest.TemplateID + ",h\xff,,,,\n\n,i,,,,\n" + clitest.TemplateID + ",j,\"{\"\"a\"\":1,\"\"a\"\":2}\",,,\n", client.ExitUsage,
			[]string{"line 2: template_id: must be", "line 3: the variable n: must be one JSON value", "line 4: api_key_env: the environment has no NOT_THERE",
				"line 5: 2 cells, the header has 6", "line 7: api_key_file: open /nonexistent", "line 8: the variable n is set twice", "line 9: the api_key is set twice",
				"line 10: name is not UTF-8", "line 12: template_id: must be", "line 13: the variable n: ", "11 rows, 10 malformed, 1 would need setup; nothing was sent"}},
		"quote":            {"r.csv", "template_id,name\n" + clitest.TemplateID + ",\"a\n" + clitest.TemplateID + ",b\n", client.ExitUsage, []string{"line 2: a quote is missing", "1 row, 1 malformed;"}},
		"quote, misplaced": {"r.csv", "template_id,name\n" + clitest.TemplateID + ",a\"b\n" + clitest.TemplateID + ",c\n", client.ExitUsage, []string{"line 2: a quote is missing or misplaced", "2 rows, 1 malformed, 1 would need setup;"}},
		"quote, endless":   {"r.csv", "template_id,name\n" + clitest.TemplateID + ",x\n" + clitest.TemplateID + ",\"" + strings.Repeat("hunter2\n", maxRow/4), client.ExitUsage, []string{"line 3: the row is larger", "2 rows, 1 malformed,"}},
		"equal but for the key": {"r.csv", "template_id,name,api_key\n" + clitest.TemplateID + ",a,hunter2\n" + clitest.TemplateID + ",a,hunter3\n" + clitest.TemplateID + ",a,hunter2\n", client.ExitUsage,
			[]string{"line 3: differs from an earlier row only in its api_key", "3 rows, 1 malformed,"}},
		"unknown column": {"r.csv", "template_id,nmae\n", client.ExitUsage, []string{`unknown column "nmae"`}},
		"column twice":   {"r.csv", "template_id,name,name\n", client.ExitUsage, []string{`the column "name" is there twice`}},
		"no template":    {"r.csv", "name\n", client.ExitUsage, []string{"no column template_id, and no --template"}},
		"no header":      {"r.csv", "", client.ExitUsage, []string{"there is no header row"}},
		"ndjson": {"r.ndjson", `{"template_id":"` + clitest.TemplateID + `","variables":{"a":1}}` + "\n\n" + `{"template_id":"x"}` + "\n" + `{"nmae":"hunter2"}` + "\n" + `{"name":7}` + "\n" + `{"name":"a","name":"hunter2"}` + "\n" +
			`["hunter2"]` + "\n" + `{"name":"hunter2` + "\n" + `{"template_id":"` + clitest.TemplateID + `","api_key":"hunter2","api_key_env":"SHOP_KEY"}` + "\n" +
			`{"template_id":"` + clitest.TemplateID + `","variables":{"a":1},"variables_env":{"a":"SHOP_KEY"}}` + "\n" + `{"variables_env":{"a":1}}` + "\n" + `{"request_id":"x"}` + "\n" +
			`{"name":"` + strings.Repeat("hunter2", maxRow/7+1) + `"}` + "\n" + `{"template_id":"` + clitest.TemplateID + `"}`, client.ExitUsage,
			[]string{"line 3: template_id: must be", `line 4: unknown field "nmae"`, "line 5: name: ", "line 6: name: ", "line 7: ", "line 8: ", "line 9: the api_key is set twice",
				"line 10: the variable a is set twice", "line 11: variables_env: must hold names", `line 12: unknown field "request_id"`, "line 13: the row is larger", "13 rows, 11 malformed,"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := digate(t, "bulk", clitest.WriteFile(t, row.file, row.content), "--addr", s.addr, "--dry-run")
			if got.Code != row.code {
				t.Errorf("%+v", got)
			}
			for _, want := range row.want {
				if !strings.Contains(got.Out+got.Err, want) {
					t.Errorf("no %q in:\n%s%s", want, got.Out, got.Err)
				}
			}
			clitest.CheckNoSecret(t, got)
			if piped := digateWith(t, row.content, "bulk", "-", "--format", formatOf(row.file), "--addr", s.addr, "--dry-run"); piped.Code != got.Code || piped.Out != got.Out {
				t.Errorf("from standard input: %+v", piped)
			}
		})
	}
	if _, streams := s.seen(); streams != 0 {
		t.Error("something was sent")
	}
}

func TestBulk_DryRun_ReadsATemplateOnce(t *testing.T) {
	s := serve(t)
	s.base = "https://<<n>>"
	large := digate(t, "bulk", clitest.WriteFile(t, "large.csv", "template_id,var.n:json\n"+clitest.TemplateID+",1234567890123456789\n"), "--addr", s.addr, "--dry-run")
	if large.Code != client.ExitDone || large.Out != "1 row, none malformed; nothing was sent\n" {
		t.Errorf("a number of many digits: %+v", large)
	}
	s.templates = 0
	got := digate(t, "bulk", clitest.WriteFile(t, "r.csv", "template_id,var.n\n"+strings.Repeat(clitest.TemplateID+",x\n"+strings.ToUpper(clitest.TemplateID)+",x\n", 50)), "--addr", s.addr, "--dry-run")
	if s.mu.Lock(); got.Code != client.ExitDone || s.templates != 1 || got.Out != "100 rows, none malformed; nothing was sent\n" {
		t.Errorf("%d reads, %+v", s.templates, got)
	}
	s.mu.Unlock()
}

func TestBulk_DryRunWithoutAServer_SaysSo(t *testing.T) {
	t.Setenv("DIGATE_TOKEN", clitest.Token)
	got := digate(t, "bulk", clitest.WriteFile(t, "r.csv", csvOf(1)), "--addr", "127.0.0.1:1", "--dry-run")
	if got.Code != client.ExitNotSent || !strings.Contains(got.Err, "no digate at 127.0.0.1:1") {
		t.Errorf("%+v", got)
	}
}

func TestBulk_MalformedRows_KeepAFileBackUnlessTheyMayBeLeftOut(t *testing.T) {
	s := serve(t)
	content := "template_id,name\n" + clitest.TemplateID + ",a\nx,b\n" + clitest.TemplateID + ",c\n"
	file := clitest.WriteFile(t, "rows.csv", content)
	got := digate(t, "bulk", file, "--addr", s.addr)
	if got.Code != client.ExitUsage || got.Out != "" || !strings.Contains(got.Err, "line 3: template_id: must be") || !strings.Contains(got.Err, "malformed: 1 of 3 rows, so nothing was sent") {
		t.Errorf("%+v", got)
	}
	if _, err := os.Stat(file + jobSuffix); err == nil || len(s.names()) != 0 {
		t.Error("something was begun")
	}
	want := map[int]string{2: rowDone, 3: rowNotSent, 4: rowDone}
	for name, got := range map[string]clitest.Ran{
		"file":           digate(t, "bulk", file, "--addr", s.addr, "--keep-going"),
		"standard input": digateWith(t, content, "bulk", "-", "--format", "csv", "--addr", s.addr, "--job", t.TempDir()+"/job", "--existing", "copy"),
	} {
		results := clitest.ResultsOf(t, got.Out)
		for line, outcome := range want {
			if results[line].Outcome != outcome {
				t.Errorf("%s: line %d: %+v", name, line, results[line])
			}
		}
		if got.Code != client.ExitNotSent || results[3].Reason != reasonInvalidRow || results[3].Message == "" {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if got := digateWith(t, content, "bulk", "-", "--format", "csv", "--addr", s.addr); got.Code != client.ExitUsage || !strings.Contains(got.Err, "--job: name a file") {
		t.Errorf("%+v", got)
	}
}

func TestBulk_InvitedToAskAgain_DoesAFewTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeServer()
		tried := make(map[string]int)
		s.item = func(_ int, req *integrationv1.CopyTemplateRequest) verdict {
			tried[req.GetName()]++
			if name := req.GetName(); name == "n-1" && tried[name] < maxTries || name == "n-3" {
				return verdict{fail: apierror.Overloaded(0).GRPCStatus().Err()}
			}
			return carryOut
		}
		run := newMemoryRun(t, s, 5)
		run.window = 2
		code, why := run.all(t.Context(), t, 0)
		if code != client.ExitNotSent || why != nil || tried["n-1"] != maxTries || tried["n-3"] != maxTries {
			t.Errorf("exit code %d, %v, %v", code, why, tried)
		}
		for name, r := range run.results {
			if want := map[bool]string{true: rowNotSent, false: rowDone}[name == "n-3"]; r.Outcome != want {
				t.Errorf("%s: got %s, want %s", name, r.Outcome, want)
			}
		}
	})
}

func TestBulk_Outcomes_AreReportedAndTheWorstIsTheExitCode(t *testing.T) {
	s := serve(t)
	notSent := apierror.InvalidRequest(apierror.Violation{Field: "name", Description: "is bad"}).GRPCStatus().Err()
	verdicts := map[string]verdict{
		"n-1": {fail: notSent},
		"n-2": {fail: rejected()},
		"n-3": {fail: status.Error(codes.Aborted, "in doubt\x1b[2J")},
	}
	s.item = func(_ int, req *integrationv1.CopyTemplateRequest) verdict { return verdicts[req.GetName()] }
	for rows, code := range map[int]int{1: client.ExitDone, 2: client.ExitNotSent, 3: client.ExitRejected, 4: client.ExitUnknown} {
		got := digate(t, "bulk", clitest.WriteFile(t, "rows.csv", csvOf(rows)), "--addr", s.addr, "--results-format", "csv", "--existing", "copy")
		records, err := csv.NewReader(strings.NewReader(got.Out)).ReadAll()
		if err != nil || got.Code != code || len(records) != rows+1 {
			t.Fatalf("%v, %d rows: %+v", err, rows, got)
		}
		if _, bad := clitest.Harmful(got.Out + got.Err); bad {
			t.Errorf("%+v", got)
		}
		if strings.Contains(got.Err, "Then run again") != (rows > 1) {
			t.Errorf("%s", got.Err)
		}
		if rows < 4 {
			continue
		}
		if r := records[3]; r[1] != "n-2" || r[3] != "refused by Diga" || r[8] != "INTEGRATION_TEMPLATE_NOT_FOUND" || r[6] != "no such template" {
			t.Errorf("%q", r)
		}
		if r := records[4]; r[3] != "in doubt" || !strings.Contains(r[6], "ledger show "+r[7]+" --addr "+s.addr) {
			t.Errorf("%q", r)
		}
		for _, want := range []string{"line 3, n-1: not made: name: is bad", "line 4, n-2: refused by Diga: no such template", "line 5, n-3: in doubt: nobody knows yet whether it was made", "1 made, 1 not made, 1 refused by Diga, 1 in doubt"} {
			if !strings.Contains(got.Err, want) {
				t.Errorf("no %q in %s", want, got.Err)
			}
		}
	}
}

func TestBulk_ResultsOrInputThatCannotBe_AreRefusedBeforeAnythingIsTouched(t *testing.T) {
	s := serve(t)
	file := clitest.WriteFile(t, "rows.csv", csvOf(2))
	if got := digate(t, "bulk", file, "--addr", s.addr); got.Code != client.ExitDone {
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
		if got := digate(t, append(args, "--addr", s.addr)...); got.Code != client.ExitUsage || !strings.Contains(got.Err, name) {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if after, err := os.ReadFile(file + jobSuffix); err != nil || string(after) != string(job) {
		t.Errorf("the job's file was touched: %v", err)
	}
}
