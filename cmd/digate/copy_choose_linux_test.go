package main

import (
	"strings"
	"testing"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/clitest"
)

func TestCopy_WithoutTemplateAtATerminal_OffersThem(t *testing.T) {
	addr, e := stand(t)
	got := atTerminal(t, "2\n\n\n", "copy", "--language", "en", "--addr", addr, "--name", "Chosen")
	if got.Code != client.ExitDone || !strings.Contains(got.Err, "NAME") || !strings.Contains(got.Err, "Which template? [1-") {
		t.Fatalf("%+v", got)
	}
	if all := e.Integrations(clitest.Token); len(all) != 1 || all[0].Name != "Chosen" {
		t.Errorf("%+v", all)
	}
	for _, reply := range []string{"\n", "0\n", "1000\n", "x\n", "\x04"} {
		got := atTerminal(t, reply, "copy", "--addr", addr)
		if got.Code != client.ExitFailed || !strings.Contains(got.Err, "nothing was copied") {
			t.Errorf("%q: %+v", reply, got)
		}
	}
	if n := len(e.Integrations(clitest.Token)); n != 1 {
		t.Errorf("%d integrations", n)
	}
}

func TestCopy_WithoutTemplateElsewhere_SaysWhereTheyAre(t *testing.T) {
	addr, _ := stand(t)
	got := digate(t, "copy", "--addr", addr)
	if got.Code != client.ExitUsage || !strings.Contains(got.Err, "copy needs <template_id>; `digate templates list` shows them") {
		t.Errorf("%+v", got)
	}
}
