package main

import (
	"encoding/json"
	"testing"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/clitest"
)

func TestCopy_UpstreamSendsTerminalSequences_TheyAreHarmless(t *testing.T) {
	quoted, err := json.Marshal(clitest.Hostile)
	if err != nil {
		t.Fatal(err)
	}
	h := string(quoted)
	for name, row := range map[string]struct {
		status int
		body   string
		code   int
	}{
		"integration": {201, `{"id":"x","name":` + h + `,"base_url":` + h + `,"description":` + h + `,"headers":{` + h + `:"v"}}`, client.ExitDone},
		"message":     {404, `{"status":"error","error_code":"X","message":` + h + `}`, client.ExitRejected},
		"violation":   {422, `{"detail":[{"loc":["body",` + h + `],"msg":` + h + `,"type":"x"},{"loc":["body","b"],"msg":` + h + `,"type":"x"}]}`, client.ExitRejected},
	} {
		t.Run(name, func(t *testing.T) {
			addr, _ := scripted(t, row.status, row.body)
			for _, output := range []string{"text", "json"} {
				got := digate(t, "copy", clitest.TemplateID, "--addr", addr, "--output", output)
				if got.Code != row.code {
					t.Fatalf("%+v", got)
				}
				shown := got.Out + got.Err
				if r, ok := clitest.Harmful(shown); ok {
					t.Errorf("%s: %U was shown in %q", output, r, shown)
				}
				if !clitest.Unharmed(shown) && output == "text" {
					t.Errorf("what is harmless was changed: %q", shown)
				}
				if output == "json" && !json.Valid([]byte(shown)) {
					t.Errorf("no JSON: %q", shown)
				}
			}
		})
	}
}
