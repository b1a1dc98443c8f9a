package main

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/clitest"
)

func TestSettings_FlagThenEnvironmentThenFileThenDefault(t *testing.T) {
	file := clitest.WriteFile(t, "digate.yaml", `
# one file for every command
grpc-addr: 127.0.0.1:1
http-addr: 127.0.0.1:1
admin-addr: 127.0.0.1:1
upstream-timeout: 11s
upstream-http2: true
max-request-bytes: 2048
log-level: WARN
latency: 5ms
`)
	t.Setenv("DIGATE_HTTP_ADDR", "127.0.0.1:2")
	t.Setenv("DIGATE_ADMIN_ADDR", "127.0.0.1:2")
	t.Setenv("DIGATE_UPSTREAM_IDLE_TIMEOUT", "7s")
	check := func(t *testing.T, args ...string) {
		c, err := parse(t, args...)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range []struct {
			name      string
			got, want any
		}{
			{"in the file alone", c.Serve.GRPCAddr, "127.0.0.1:1"},
			{"in environment and file", c.Serve.HTTPAddr, "127.0.0.1:2"},
			{"in all three", c.Serve.AdminAddr, "127.0.0.1:3"},
			{"in the environment alone", c.Serve.Upstream.IdleTimeout, 7 * time.Second},
			{"a duration in the file", c.Serve.Upstream.Timeout, 11 * time.Second},
			{"a bool in the file", c.Serve.Upstream.HTTP2, true},
			{"a number in the file", c.Serve.MaxRequestBytes, int64(2048)},
			{"a level in the file", c.Serve.LogLevel, slog.LevelWarn},
			{"nowhere", c.Serve.Upstream.URL, "https://api.diga.io"},
		} {
			if row.got != row.want {
				t.Errorf("%s: %v, want %v", row.name, row.got, row.want)
			}
		}
	}
	t.Run("flag after the command", func(t *testing.T) { check(t, "serve", "--admin-addr", "127.0.0.1:3", "--config", file) })
	t.Run("flag before the command", func(t *testing.T) { check(t, "--config="+file, "serve", "--admin-addr=127.0.0.1:3") })
	t.Run("environment", func(t *testing.T) {
		t.Setenv("DIGATE_CONFIG", file)
		check(t, "serve", "--admin-addr=127.0.0.1:3")
	})
}

// YAML would make numbers of some values: of the mode 0660 the number 432, which as a mode
// lets everybody write.
func TestConfigFile_Value_IsTakenAsItIsWritten(t *testing.T) {
	t.Parallel()
	c, err := parse(t, "serve", "--config", clitest.WriteFile(t, "digate.yaml", "socket-mode: 0660\n"))
	if err != nil || c.Serve.SocketMode != "0660" {
		t.Errorf("a mode: %q, %v", c.Serve.SocketMode, err)
	}
	for content, want := range map[string]string{
		"x: 0660": "0660", "x: '0660'": "0660", "x: !!str 0660": "0660", "? x\n: 0660": "0660", "x: >-\n  0660": "0660",
		"a: &a 0660\nx: *a": "0660", "<<: {x: 0660}": "0660", "x: 0660\r\na: 1": "0660",
		"x: 0o660": "0o660", "x: 1e3": "1e3", "x: 99999999999999999999": "99999999999999999999", "x: 2026-01-02": "2026-01-02", "x: Yes": "Yes",
	} {
		s, err := loadSettings(strings.NewReader(content))
		if err != nil || s.values["x"] != want || s.lines["x"] == 0 {
			t.Errorf("%q: %q in line %d, want %q: %v", content, s.values["x"], s.lines["x"], want, err)
		}
	}
}

func TestSettings_OfAnotherCommand_AreNotInTheWay(t *testing.T) {
	t.Parallel()
	file := clitest.WriteFile(t, "digate.yaml", "upstream-timeout: 11s\nseed: 7\n")
	c, err := parse(t, "emulator", "--config", file)
	if err != nil || c.Emulator.Seed != 7 {
		t.Errorf("%+v, %v", c.Emulator, err)
	}
}

func TestSettings_UpstreamHTTP2InTheEnvironment_IsReadUnderItsOwnName(t *testing.T) {
	t.Setenv("DIGATE_UPSTREAM_HTTP2", "true")
	if c, err := parse(t, "serve"); err != nil || !c.Serve.Upstream.HTTP2 {
		t.Errorf("%v, %v", c.Serve.Upstream.HTTP2, err)
	}
}

func TestConfigFile_Wrong_SaysWhere(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct{ content, want string }{
		"unknown":          {"grcp-addr: x\nhttp-adr: y\nlog-level: WARN\n", "unknown setting: grcp-addr, http-adr"},
		"a file in a file": {"config: other.yaml\n", "unknown setting: config"},
		"not YAML":         {"log-level: WARN\n\thunter2: x\n", "line 2"},
		"twice":            {"log-level: WARN\nlog-level: hunter2\n", "line 2"},
		"a list":           {"- hunter2\n", "not a YAML mapping"},
		"text":             {"hunter2\n", "not a YAML mapping"},
		"two documents":    {"log-level: INFO\n---\nlog-level: hunter2\n", "more than one YAML document"},
		"a list within":    {"grpc-addr: [hunter2]\n", "grpc-addr: must be a single value"},
		"a mapping within": {"log-level: {a: hunter2}\n", "log-level: must be a single value"},
		"nothing":          {"log-level:\n", "log-level: must be a single value"},
		"a list of before": {"grpc-addr: &a [hunter2]\nlog-level: *a\n", "grpc-addr: must be a single value (line 1)"},
		"itself":           {"log-level: &a [*a]\n", "log-level: must be a single value"},
		"too large":        {strings.Repeat("# large\n", maxConfigFile/8) + "#\n", "larger than"},
		"wrong value":      {"upstream-timeout: soon\n", "--upstream-timeout"},
		"refused value":    {"grpc-addr: x\n", "--grpc-addr: must be"},
	} {
		t.Run(name, func(t *testing.T) {
			file := clitest.WriteFile(t, "digate.yaml", row.content)
			got := digate(t, "serve", "--config", file)
			if got.Code != client.ExitUsage || !strings.Contains(got.Err, row.want) || strings.Contains(got.Err, "hunter2") {
				t.Errorf("want %q in %+v", row.want, got)
			}
			if !strings.Contains(row.want, "--") && !strings.Contains(got.Err, "--config "+file) {
				t.Errorf("the file is not named: %s", got.Err)
			}
		})
	}
}

func TestConfigFile_Missing_IsNamed(t *testing.T) {
	t.Parallel()
	got := digate(t, "serve", "--config", "/nonexistent.yaml")
	if got.Code != client.ExitUsage || !strings.Contains(got.Err, "--config: there is no file /nonexistent.yaml") {
		t.Errorf("%+v", got)
	}
}

func TestConfigFile_EmptyOrUnnamed_SetsNothing(t *testing.T) {
	if _, err := parse(t, "serve", "--config", clitest.WriteFile(t, "digate.yaml", "# nothing\n")); err != nil {
		t.Error(err)
	}
	t.Setenv("DIGATE_CONFIG", "")
	if _, err := parse(t, "serve"); err != nil {
		t.Error(err)
	}
}
