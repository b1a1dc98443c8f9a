package bulk

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/clitest"
	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	digatev1 "github.com/digate/digate/gen/digate/v1"
	"github.com/digate/digate/server/apierror"
)

// A row matches only what surely is its own: one of the name, made at its time.
func TestSettling_FindMatches_OnlyWhatIsUniqueByNameAndTime(t *testing.T) {
	t.Parallel()
	sent := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	made := func(id, name string, after time.Duration) *digatev1.Candidate {
		return &digatev1.Candidate{IntegrationId: id, Name: name, CreateTime: timestamppb.New(sent.Add(after))}
	}
	for name, row := range map[string]struct {
		doubts     []string
		candidates []*digatev1.Candidate
		want       int
	}{
		"one of the name":                  {[]string{"a"}, []*digatev1.Candidate{made("1", "a", time.Second), made("2", "b", time.Second)}, 1},
		"two of the name":                  {[]string{"a"}, []*digatev1.Candidate{made("1", "a", time.Second), made("2", "a", time.Second)}, 0},
		"two rows of the name":             {[]string{"a", "a"}, []*digatev1.Candidate{made("1", "a", time.Second)}, 0},
		"long after":                       {[]string{"a"}, []*digatev1.Candidate{made("1", "a", mayTake)}, 0},
		"before, as clocks differ":         {[]string{"a"}, []*digatev1.Candidate{made("1", "a", -clocksDiffer+1)}, 1},
		"before":                           {[]string{"a"}, []*digatev1.Candidate{made("1", "a", -clocksDiffer)}, 0},
		"a time that Diga does not tell":   {[]string{"a"}, []*digatev1.Candidate{{IntegrationId: "1", Name: "a"}}, 0},
		"no name, which is the template's": {[]string{""}, []*digatev1.Candidate{made("1", "", time.Second)}, 0},
	} {
		s := &settling{}
		for _, n := range row.doubts {
			s.doubts = append(s.doubts, &doubt{entry: &entry{id: uuid.New(), name: n}, sent: sent, candidates: row.candidates})
		}
		if got := len(s.findMatches()); got != row.want {
			t.Errorf("%s: %d match", name, got)
		}
	}
}

func TestBulk_SettleWithoutAJobOrADoubt_SaysSo(t *testing.T) {
	s := serve(t)
	file := clitest.WriteFile(t, "rows.csv", csvOf(1))
	if got := digate(t, "bulk", file, "--addr", s.addr, "--settle"); got.Code != client.ExitFailed || got.Err != "digate: there is no job in "+file+jobSuffix+"\n" {
		t.Errorf("%+v", got)
	}
	if got := digate(t, "bulk", file, "--addr", s.addr); got.Code != client.ExitDone {
		t.Fatalf("%+v", got)
	}
	if got := digate(t, "bulk", file, "--addr", s.addr, "--settle"); got.Code != client.ExitDone || got.Err != "no row of the job is in doubt\n" {
		t.Errorf("%+v", got)
	}
}

func TestBulk_SettleWithoutATerminal_SaysThatNobodyWasAsked(t *testing.T) {
	s := serve(t)
	lost := apierror.ResponseLost(nil, true).GRPCStatus().Err()
	s.item = func(int, *integrationv1.CopyTemplateRequest) verdict { return verdict{fail: lost} }
	file := clitest.WriteFile(t, "rows.csv", csvOf(1))
	if got := digate(t, "bulk", file, "--addr", s.addr); got.Code != client.ExitUnknown {
		t.Fatalf("%+v", got)
	}
	got := digate(t, "bulk", file, "--addr", s.addr, "--settle")
	if got.Code != client.ExitUnknown || !strings.Contains(got.Err, "left in doubt: 1\n") ||
		!strings.Contains(got.Err, "standard input is not a terminal") || !strings.Contains(got.Err, "one by one, at a terminal:\n  ") {
		t.Errorf("%+v", got)
	}
}
