package main

import (
	"strings"
	"testing"

	"github.com/digate/digate/cmd/digate/internal/clitest"
)

// session runs command lines as a person types them, and returns what a terminal
// shows. Words are separated by blanks.
func session(t *testing.T, lines ...string) string {
	t.Helper()
	var seen strings.Builder
	for _, line := range lines {
		got := digate(t, strings.Fields(line)...)
		seen.WriteString("$ digate " + line + "\n" + got.Out + got.Err)
	}
	return seen.String()
}

func TestScreens_Usage(t *testing.T) {
	t.Parallel()
	const id = clitest.TemplateID
	clitest.Screen(t, "usage-arguments", session(t,
		"copy", "copy "+id+" "+id, "integrations get", "tools approve "+id, "ledger show"))
	clitest.Screen(t, "usage-commands", session(t, "srve", "tools", "tools show", "completion csh"))
	clitest.Screen(t, "usage-flags", session(t,
		"serve --grpc-adr :1", "serve --max-streams -1", "dev --latency 5", "serve --log-level loud",
		"serve --upstream-http2=maybe", "serve --log-level", "copy "+id+" -o xml", "copy "+id+" --ca-file /none"))
	clitest.Screen(t, "usage-settings", session(t,
		"serve --grpc-addr 9090 --upstream-url api.diga.io --max-request-bytes 1", "serve --upstream-retry-budget much"))
}
