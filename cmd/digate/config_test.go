package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/clitest"
	"github.com/digate/digate/server/config"
	"github.com/digate/digate/server/setting"
)

const settingsForTests = `# Settings of serve.
log-level: WARN
grpc-addr: 127.0.0.1:1

ledger: postgres://hunter2:hunter2@db.example/digate?sslmode=require&sslpassword=hunter2
http-addr: 127.0.0.1:2
admin-addr: 127.0.0.1:3
`

func TestConfigShow_EverySetting_HasItsValueAndOriginAndNoSecret(t *testing.T) {
	const file = "digate.yaml"
	t.Setenv("DIGATE_HTTP_ADDR", "127.0.0.1:8")
	t.Setenv("DIGATE_ADMIN_ADDR", "127.0.0.1:8")
	args := []string{"config", "show", "--config", file, "--admin-addr", "127.0.0.1:9", "--ledger-key-file", "/key"}
	var got, asJSON clitest.Ran
	t.Run("beside the file", func(t *testing.T) {
		t.Chdir(t.TempDir())
		if err := os.WriteFile(file, []byte(settingsForTests), 0o600); err != nil {
			t.Fatal(err)
		}
		got, asJSON = digate(t, args...), digate(t, append(args, "--output", "json")...)
	})
	if got.Code != client.ExitDone || got.Err != "" {
		t.Fatalf("%+v", got)
	}
	clitest.CheckNoSecret(t, got)
	clitest.CheckNoSecret(t, asJSON)
	clitest.Scroll(t, "config-show", got.Out)
	var shown struct{ Settings []setting.Effective }
	if err := json.Unmarshal([]byte(asJSON.Out), &shown); err != nil {
		t.Fatalf("%v in %s", err, asJSON.Out)
	}
	if want := len(config.Defaults().Effective(nil)); len(shown.Settings) != want || strings.Count(got.Out, "\n") != want+1 {
		t.Errorf("%d settings, want %d", len(shown.Settings), want)
	}
	for i, want := range []setting.Effective{
		{Name: "grpc-addr", Value: "127.0.0.1:1", From: file + ":3"},
		{Name: "http-addr", Value: "127.0.0.1:8", From: "DIGATE_HTTP_ADDR"},
		{Name: "admin-addr", Value: "127.0.0.1:9", From: "--admin-addr"},
		{Name: "socket-mode", Value: "0600", From: setting.FromDefault},
		{Name: "admin-pprof", Value: false, From: setting.FromDefault},
	} {
		if shown.Settings[i] != want {
			t.Errorf("got %+v, want %+v", shown.Settings[i], want)
		}
	}
}

// A setting that is wrong is looked for where it was set.
func TestSettings_Wrong_NamesTheFileAndTheLineOrTheVariable(t *testing.T) {
	file := clitest.WriteFile(t, "digate.yaml", "# first\nmax-streams: many\n")
	refused := clitest.WriteFile(t, "digate.yaml", "\nmax-streams: 0\nidle-timeout: 0s\n")
	misspelt := clitest.WriteFile(t, "digate.yaml", "log-level: WARN\nmax-steams: 3\nfavourite: 1\n")
	t.Setenv("DIGATE_GRPC_ADDR", "9090")
	t.Setenv("DIGATE_HTTP_ADDR", "192.0.2.1:1")
	clitest.Screen(t, "settings-wrong", session(t, []string{
		"serve --config a.yaml", "serve --config b.yaml", "serve --config c.yaml",
		"serve --grpc-addr 127.0.0.1:0", "doctor --max-streams x",
	}, place{"a.yaml", file}, place{"b.yaml", refused}, place{"c.yaml", misspelt}))
}

func TestEnvironment_VariableThatIsNoSetting_IsNamedWithTheOneThatWasMeant(t *testing.T) {
	t.Setenv("DIGATE_ADR", "hunter2")
	t.Setenv("DIGATE_LOG_LEVL", "hunter2")
	t.Setenv("DIGATE_NOTHING_OF_THE_KIND", "hunter2")
	t.Setenv("DIGATE_ADDR", "127.0.0.1:1") // a setting of other commands
	// Kubernetes makes these for a Service that is called digate-x.
	for _, name := range []string{"SERVICE_HOST", "SERVICE_PORT", "SERVICE_PORT_GRPC", "PORT", "PORT_9090_TCP", "PORT_9090_TCP_ADDR"} {
		t.Setenv("DIGATE_X_"+name, "1")
	}
	const warning = "digate: warning: DIGATE_ADR in the environment is no setting of digate; did you mean DIGATE_ADDR?\n" +
		"digate: warning: DIGATE_LOG_LEVL in the environment is no setting of digate; did you mean DIGATE_LOG_LEVEL?\n" +
		"digate: warning: DIGATE_NOTHING_OF_THE_KIND in the environment is no setting of digate\n"
	for line, warned := range map[string]bool{
		"config show": true, "config show -o json": false, "version": false, "completion bash": false, "copy": true, "serve --log-level x": true,
	} {
		got := digate(t, strings.Fields(line)...)
		clitest.CheckNoSecret(t, got)
		if strings.HasPrefix(got.Err, warning) != warned || strings.Contains(got.Err, "warning") != warned || strings.Contains(got.Err, "DIGATE_X") {
			t.Errorf("%s: %s", line, got.Err)
		}
	}
	got := digate(t, "serve", "--grpc-addr", "192.0.2.1:1", "--http-addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0")
	if !strings.Contains(got.Err, `"level":"WARN","msg":"DIGATE_ADR in the environment is no setting of digate; did you mean DIGATE_ADDR?"`) {
		t.Errorf("the log of serve: %s", got.Err)
	}
}
