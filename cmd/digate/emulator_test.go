package main

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/test/await"
)

// stateFile writes a state that the emulator holds at first.
func stateFile(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "state.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// sent calls a URL as the account t, and returns the status and the body.
func sent(t *testing.T, method, url, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer t")
	r.Header.Set("Content-Type", "application/json")
	r.Close = true
	resp, err := (&http.Client{Timeout: await.Patience}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func TestEmulator_Flags_ReachIt(t *testing.T) {
	t.Parallel()
	p := launch(t, "emulator", "--emulator-addr", "127.0.0.1:0", "--control", "--strict", "--latency", "p50=0s,p100=1us", "--initial-state",
		stateFile(t, "accounts: [{token: t, integrations: [{name: Seeded, base_url: https://x}]}]\n"))
	out := p.out.Await(t, "Ctrl-C")
	url := regexp.MustCompile(`at (http://127\.0\.0\.1:\d+)`).FindStringSubmatch(out)[1]
	if !strings.Contains(out, "Tests control it below "+url+"/_emulator/\n") {
		t.Errorf("no control routes in:\n%s", out)
	}
	if _, body := sent(t, "GET", url+"/_emulator/settings", ""); body != `{"latency":"p50=0s,p100=1µs","strict":true}`+"\n" {
		t.Errorf("settings %s", body)
	}
	if _, body := sent(t, "GET", url+"/v1/integration", ""); !strings.Contains(body, `"name":"Seeded"`) {
		t.Errorf("integrations %s", body)
	}
}

func TestEmulator_WithoutControl_HasNoControlRoutes(t *testing.T) {
	t.Parallel()
	p := launch(t, "emulator", "--emulator-addr", "127.0.0.1:0")
	out := p.out.Await(t, "Ctrl-C")
	url := regexp.MustCompile(`at (http://127\.0\.0\.1:\d+)`).FindStringSubmatch(out)[1]
	if status, _ := sent(t, "GET", url+"/_emulator/settings", ""); status != http.StatusNotFound || strings.Contains(out, "_emulator") {
		t.Errorf("%d, and\n%s", status, out)
	}
}

func TestDev_StandInFlags_ReachIt(t *testing.T) {
	t.Parallel()
	d := launchDev(t, "--control", "--initial-state", stateFile(t, "faults: [{fault: rate-limited, match: {operation: list_templates}}]\n"))
	if status, body := sent(t, "GET", d.standIn+"/v1/integration/template", ""); status != http.StatusTooManyRequests {
		t.Errorf("%d %s", status, body)
	}
	control := d.match(t, `tests +(http://\S+)`)
	if status, body := sent(t, "GET", control+"calls?count=1", ""); status != http.StatusOK {
		t.Errorf("%d %s", status, body)
	}
}

func TestEmulator_InitialStateIsWrong_SaysWhere(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"emulator", "dev"} {
		got := digate(t, command, "--initial-state", stateFile(t, "accounts: [{token: hunter2, integrations: [{name: hunter2}]}]\n"))
		if got.Code != client.ExitFailed || got.Err != "digate: --initial-state: accounts.0.integrations.0.base_url: Field required\n" {
			t.Errorf("%s: %d %s", command, got.Code, got.Err)
		}
	}
}
