package bulk

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/digate/digate/cmd/digate/internal/clitest"
	"github.com/digate/digate/cmd/digate/internal/file"
	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/test/await"
)

func TestRunner_FailedAgainAndAgain_IsSettledAfterTheLastTry(t *testing.T) {
	t.Parallel()
	var results []rowResult
	it := &item{row: &row{line: 2, copy: &integrationv1.CopyTemplateRequest{RequestId: "id"}}}
	r := &runner{pending: map[string]*item{"id": it}, job: newJob("", ""), now: time.Now, report: &report{
		progress: &progress{w: new(await.Transcript), silent: true}, results: &streamed{write: func(res rowResult) error { results = append(results, res); return nil }},
	}}
	for try := 1; try <= maxTries; try++ {
		r.failed(t.Context(), it, overloadedFor(time.Second))
		if want := try == maxTries; (len(results) == 1) != want || (len(r.later) == try) == want {
			t.Fatalf("try %d: %d results, %d to send later", try, len(results), len(r.later))
		}
	}
}

func TestRow_SettingsOfDigate_AreNoSecretsOfARow(t *testing.T) {
	t.Setenv("DIGATE_TOKEN", clitest.Token)
	for _, ref := range []secretRef{{"", refEnv, "DIGATE_TOKEN"}, {"x", refEnv, "DIGATE_TOKEN"}} {
		if value, err := ref.resolve(); value != "" || err == nil || !strings.Contains(err.Error(), "begins with DIGATE_") {
			t.Errorf("%s: %v", ref.field(), err)
		}
	}
}

// Values that the row only names count in the bound of a request.
func TestRow_ResolvesToMoreThanARequestMayHave_IsRefused(t *testing.T) {
	t.Parallel()
	c, err := compileContract()
	if err != nil {
		t.Fatal(err)
	}
	path := clitest.WriteFile(t, "value", strings.Repeat("v", file.MaxSecret))
	for refs, want := range map[int]error{maxRow/file.MaxSecret - 1: nil, maxRow / file.MaxSecret: errRowTooLarge} {
		r := &row{copy: &integrationv1.CopyTemplateRequest{TemplateId: clitest.TemplateID}}
		for i := range refs {
			r.refs = append(r.refs, secretRef{fmt.Sprint("v", i), refFile, path})
		}
		if err := r.resolve(c); err != want {
			t.Errorf("%d values: got %v", refs, err)
		}
	}
}
