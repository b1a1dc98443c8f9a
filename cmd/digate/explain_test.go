package main

import (
	"strings"
	"testing"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/server/apierror"
)

func TestExplain_Reason_SaysWhatHappenedWhatToDoAndWhatItComesAs(t *testing.T) {
	t.Parallel()
	for _, r := range apierror.Reasons() {
		got := digate(t, "explain", strings.ToLower(r.Reason))
		if got.Code != client.ExitDone || got.Err != "" || strings.Contains(got.Out, "`") {
			t.Errorf("%s: %+v", r.Reason, got)
		}
		for _, want := range append([]string{r.Reason, r.Meaning, r.Remedy}, r.Forms...) {
			if !strings.Contains(got.Out, strings.ReplaceAll(want, "`", "")) {
				t.Errorf("%s: no %q in %s", r.Reason, want, got.Out)
			}
		}
	}
}

func TestExplain_NoReason_ListsAll(t *testing.T) {
	t.Parallel()
	got := digate(t, "explain")
	if got.Code != client.ExitDone || strings.Count(got.Out, "\n") != len(apierror.Reasons()) || !strings.Contains(got.Out, "OVERLOADED") {
		t.Errorf("%+v", got)
	}
}

func TestExplain_OtherReason_NamesTheNearestOrWhoseItIs(t *testing.T) {
	t.Parallel()
	for reason, want := range map[string]string{"OVERLODED": "did you mean OVERLOADED?", "TEMPLATE_IS_GONE": "diga.io"} {
		got := digate(t, "explain", reason)
		if got.Code != client.ExitUsage || got.Out != "" || !strings.Contains(got.Err, want) {
			t.Errorf("%s: %+v", reason, got)
		}
	}
}
