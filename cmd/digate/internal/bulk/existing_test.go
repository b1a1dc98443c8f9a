package bulk

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/clitest"
	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
)

// folder is a folder with a file whose rows were made by an earlier job.
func folder(t *testing.T, s *fakeServer, names ...string) (file string) {
	t.Helper()
	file = clitest.WriteFile(t, "shops.csv", named(names...))
	if got := clitest.RunWith(t, runCommand, "", "bulk", file, "--addr", s.addr); got.Code != client.ExitDone {
		t.Fatalf("%+v", got)
	}
	return file
}

// However the job of an earlier run gets out of sight, Diga has what it made.
func TestBulk_EarlierJobIsOutOfSight_MakesNothingTwiceUnasked(t *testing.T) {
	for name, hide := range map[string]func(t *testing.T, file string) (input string, args []string){
		"the job and its results are gone": func(t *testing.T, file string) (string, []string) {
			for _, path := range []string{file + jobSuffix, resultsPath(file, "csv")} {
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
			}
			return file, nil
		},
		"the job is gone and the results are elsewhere": func(t *testing.T, file string) (string, []string) {
			if err := os.Remove(file + jobSuffix); err != nil {
				t.Fatal(err)
			}
			return file, []string{"--results", filepath.Join(t.TempDir(), "r.csv")}
		},
		"the input was copied to another folder": func(t *testing.T, file string) (string, []string) {
			return clitest.WriteFile(t, "shops.csv", string(read(t, file))), nil
		},
		"the job is a new file in another folder": func(t *testing.T, file string) (string, []string) {
			if err := os.Remove(file + jobSuffix); err != nil {
				t.Fatal(err)
			}
			return file, []string{"--job", filepath.Join(t.TempDir(), "job"), "--results", "-"}
		},
		"a new job is asked for": func(_ *testing.T, file string) (string, []string) { return file, []string{"--new-job"} },
		"an input as NDJSON": func(t *testing.T, _ string) (string, []string) {
			return clitest.WriteFile(t, "shops.ndjson", fmt.Sprintf(`{"template_id":%[1]q,"name":"a"}`+"\n"+`{"template_id":%[1]q,"name":"b"}`+"\n"+`{"template_id":%[1]q,"name":"new"}`+"\n", strings.ToUpper(clitest.TemplateID))), nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t)
			file := folder(t, s, "a", "b")
			if name != "an input as NDJSON" {
				writeAgain(t, file, named("a", "b", "new"))
			}
			input, args := hide(t, file)
			bulk := func(code int, more ...string) clitest.Ran {
				t.Helper()
				got := clitest.RunWith(t, runCommand, "", append(append([]string{"bulk", input, "--addr", s.addr}, args...), more...)...)
				if got.Code != code {
					t.Fatalf("%+v", got)
				}
				return got
			}
			for range 2 { // it does not wear off
				got := bulk(client.ExitNotSent)
				for _, want := range []string{"(2 rows)", "THERE ALREADY", "of-", "--existing=skip", "--existing=copy"} {
					if !strings.Contains(got.Err, want) {
						t.Errorf("no %q in %s", want, got.Err)
					}
				}
				wantNames(t, s, "unasked", "a", "b")
				got = bulk(client.ExitNotSent, "--dry-run")
				if !strings.Contains(got.Out, "THERE ALREADY") || !strings.Contains(got.Err, "a run would begin a new job") {
					t.Errorf("%+v", got)
				}
			}
			bulk(client.ExitDone, "--existing=skip")
			wantNames(t, s, "skipped", "a", "b", "new")
			if name == "a new job is asked for" {
				args = nil
			}
			got := bulk(client.ExitDone) // and is not asked again
			if !strings.Contains(got.Err, "1 made (1 of them by an earlier run), 2 there already") {
				t.Errorf("%s", got.Err)
			}
			bulk(client.ExitDone, "--existing=copy")
			wantNames(t, s, "copied", "a", "a", "b", "b", "new")
			bulk(client.ExitDone, "--existing=copy")
			wantNames(t, s, "copied once", "a", "a", "b", "b", "new")
		})
	}
}

func TestBulk_ExistingSkip_ResultsNameWhatIsThere(t *testing.T) {
	s := serve(t)
	file := folder(t, s, "a")
	other := clitest.WriteFile(t, "other.csv", named("a", "new"))
	for _, outcome := range []string{rowDone, rowReplayed} {
		got := digate(t, "bulk", other, "--addr", s.addr, "--existing=skip")
		results := clitest.ResultsOf(t, got.Out)
		if r := results[2]; got.Code != client.ExitDone || r.Outcome != rowExisting || !strings.HasPrefix(r.IntegrationID, "of-") || !strings.Contains(r.Message, "--existing=skip") || results[3].Outcome != outcome {
			t.Errorf("%+v", got)
		}
	}
	// A row that was left and then changed is a changed row.
	writeAgain(t, other, named("A", "new"))
	if got := digate(t, "bulk", other, "--addr", s.addr); got.Code != client.ExitNotSent || !strings.Contains(got.Err, "--changed=skip") {
		t.Errorf("%+v", got)
	}
	_ = file
}

// An integration of the name from another template is another thing.
func TestBulk_NameIsThereFromAnotherTemplate_IsSentUnasked(t *testing.T) {
	s := serve(t)
	folder(t, s, "a")
	other := clitest.WriteFile(t, "other.csv", strings.ReplaceAll(named("a"), clitest.TemplateID, clitest.NoTemplate))
	if got := digate(t, "bulk", other, "--addr", s.addr); got.Code != client.ExitDone {
		t.Errorf("%+v", got)
	}
	wantNames(t, s, "another template", "a", "a")
}

// A row without a name gets the template's.
func TestBulk_RowsWithoutAName_AreComparedByTheTemplatesName(t *testing.T) {
	s := serve(t)
	s.template = "Shopify"
	folder(t, s, "Shopify")
	nameless := "template_id,base_url\n" + clitest.TemplateID + ",https://x.example\n"
	got := digate(t, "bulk", clitest.WriteFile(t, "other.csv", nameless), "--addr", s.addr)
	if got.Code != client.ExitNotSent || !strings.Contains(got.Err, "THERE ALREADY") {
		t.Errorf("%+v", got)
	}
	got = digateWith(t, nameless, "bulk", "-", "--format", "csv", "--job", filepath.Join(t.TempDir(), "job"), "--addr", s.addr)
	if got.Code != client.ExitNotSent || !strings.Contains(got.Out, reasonExisting) || !strings.Contains(got.Err, "At Diga already: 1 row") {
		t.Errorf("%+v", got)
	}
	// The template's name is not known if the template cannot be read.
	s.unread = status.Error(codes.PermissionDenied, "no")
	got = digate(t, "bulk", clitest.WriteFile(t, "other.csv", nameless), "--addr", s.addr)
	if got.Code != client.ExitDone || strings.Count(got.Err, "rows without a name are not compared") != 1 {
		t.Errorf("%+v", got)
	}
}

func TestBulk_StandardInput_LeavesOutWhatIsThere(t *testing.T) {
	s := serve(t)
	folder(t, s, "a", "b")
	job := filepath.Join(t.TempDir(), "job")
	bulk := func(code int, args ...string) map[int]clitest.Result {
		t.Helper()
		got := digateWith(t, named("a", "new", "b"), append([]string{"bulk", "-", "--format", "csv", "--job", job, "--addr", s.addr}, args...)...)
		if got.Code != code {
			t.Fatalf("%+v", got)
		}
		return clitest.ResultsOf(t, got.Out)
	}
	results := bulk(client.ExitNotSent)
	if r := results[4]; r.Outcome != rowNotSent || r.Reason != reasonExisting || !strings.Contains(r.Message, "of-") || results[3].Outcome != rowDone {
		t.Errorf("%+v", results)
	}
	wantNames(t, s, "unasked", "a", "b", "new")
	bulk(client.ExitNotSent)
	if results := bulk(client.ExitDone, "--existing", "skip"); results[2].Outcome != rowExisting || results[4].Outcome != rowExisting || results[3].Outcome != rowReplayed {
		t.Errorf("%+v", results)
	}
	wantNames(t, s, "skipped", "a", "b", "new")
	// A first run can be told, too.
	job = filepath.Join(t.TempDir(), "job")
	if results := bulk(client.ExitDone, "--existing", "skip"); results[2].Outcome != rowExisting || results[3].Outcome != rowExisting {
		t.Errorf("%+v", results)
	}
	if results := bulk(client.ExitDone); results[2].Outcome != rowExisting || results[3].Outcome != rowExisting {
		t.Errorf("%+v", results)
	}
	wantNames(t, s, "skipped at once", "a", "b", "new")
}

func TestBulk_ListCannotBeRead_IsSaid(t *testing.T) {
	for code, row := range map[codes.Code]struct {
		exit int
		says string
	}{
		codes.PermissionDenied: {client.ExitDone, "may not be read"},
		codes.Unimplemented:    {client.ExitDone, "may not be read"},
		codes.Internal:         {client.ExitNotSent, "--existing=copy sends the rows all the same"},
	} {
		s := serve(t)
		s.unlisted = status.Error(code, "no")
		file := clitest.WriteFile(t, "shops.csv", named("a"))
		if got := digate(t, "bulk", file, "--addr", s.addr); got.Code != row.exit || !strings.Contains(got.Err, row.says) {
			t.Errorf("%v: %+v", code, got)
		}
		if got := digate(t, "bulk", file, "--addr", s.addr, "--existing=copy"); got.Code != client.ExitDone {
			t.Errorf("%v: %+v", code, got)
		}
		wantNames(t, s, code.String(), "a")
	}
}

// A job whose file lost rows does not ask about what it made itself: the ledger knows
// that by its request id.
func TestBulk_JobLostRows_LedgerTellsThatTheyAreItsOwn(t *testing.T) {
	s := serve(t)
	file := folder(t, s, "a", "b")
	header, _, _ := bytes.Cut(read(t, file+jobSuffix), []byte("\n"))
	writeAgain(t, file+jobSuffix, string(header)+"\n")
	if got := digate(t, "bulk", file, "--addr", s.addr, "--dry-run"); got.Code != client.ExitDone || !strings.Contains(got.Err, "2 made already, 0 new") {
		t.Errorf("%+v", got)
	}
	got := digate(t, "bulk", file, "--addr", s.addr)
	if n := clitest.Outcomes(clitest.ResultsOf(t, got.Out)); got.Code != client.ExitDone || n[rowReplayed] != 2 {
		t.Errorf("%+v", got)
	}
	wantNames(t, s, "lost", "a", "b")
	// The ledger has forgotten them: then Diga's list is all that is known.
	writeAgain(t, file+jobSuffix, string(header)+"\n")
	s.made = make(map[string]*integrationv1.CopyTemplateRequest)
	for range 2 {
		if got := digate(t, "bulk", file, "--addr", s.addr); got.Code != client.ExitNotSent || !strings.Contains(got.Err, "THERE ALREADY") {
			t.Errorf("%+v", got)
		}
	}
	wantNames(t, s, "forgotten", "a", "b")
}

// An integration may still have the mark of a call whose end nobody has recorded.
func TestInventory_NameWithAMark_IsFoundWithoutIt(t *testing.T) {
	t.Parallel()
	inv := &inventory{byName: make(map[string][]existing)}
	inv.add(&integrationv1.Integration{Id: "1", Name: "North~8w2kf07tqd"})
	for name, want := range map[string]bool{"North": true, "North~8w2kf07tqd": true, "Nort": false} {
		if _, ok := inv.find(2, name, "t"); ok != want {
			t.Errorf("%s: %v", name, ok)
		}
	}
}

func TestBulk_EmptyJobFile_IsSaid(t *testing.T) {
	s := serve(t)
	file := clitest.WriteFile(t, "shops.csv", named("a"))
	writeAgain(t, file+jobSuffix, "")
	age(t, file+jobSuffix)
	if got := digate(t, "bulk", file, "--addr", s.addr); got.Code != client.ExitDone || !strings.Contains(got.Err, "was empty") {
		t.Errorf("%+v", got)
	}
}
