package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/clitest"
	"github.com/digate/digate/cmd/digate/internal/term"
	"github.com/digate/digate/server"
	"github.com/digate/digate/server/config"
	"github.com/digate/digate/server/emulator"
	"github.com/digate/digate/server/ledger"
	"github.com/digate/digate/server/ledger/backend"
	"github.com/digate/digate/server/ledger/listing"
)

// lostTemplate is the template of a copy whose response the emulator loses.
const lostTemplate = "00000000-0000-4000-8000-000000000603"

// operated is a digate with a ledger in a file, for an operator.
type operated struct {
	*server.Server
	spec, addr, admin string
	emulator          *emulator.Emulator
}

func operate(t *testing.T, change ...func(*config.Config)) operated {
	t.Helper()
	e := emulator.New(emulator.Options{Seed: 1})
	upstream := httptest.NewServer(e)
	t.Cleanup(upstream.Close)
	o := operated{spec: "sqlite:" + filepath.Join(t.TempDir(), "ledger.db"), emulator: e}
	o.Server = facadeOf(t, upstream.URL, func(c *config.Config) {
		c.Ledger.Spec = o.spec
		for _, f := range change {
			f(c)
		}
	})
	t.Cleanup(e.Close)
	o.addr, o.admin = o.GRPCAddr().String(), "http://"+o.AdminAddr().String()
	t.Setenv("DIGATE_TOKEN", clitest.Token)
	return o
}

// doubt leaves a copy in doubt and returns the name of its record.
func (o operated) doubt(t *testing.T, requestID string) string {
	t.Helper()
	if got := digate(t, "copy", lostTemplate, "--request-id", requestID, "--addr", o.addr, "--name", "Shop "+requestID); got.Code != client.ExitUnknown {
		t.Fatalf("%+v", got)
	}
	got := digate(t, "ledger", "show", requestID, "--addr", o.addr, "-o", "json")
	m := regexp.MustCompile(`"record":"([0-9a-f]{64})"`).FindStringSubmatch(got.Out)
	if m == nil {
		t.Fatalf("%+v", got)
	}
	return m[1]
}

func listedRecords(t *testing.T, got clitest.Ran) (names []string) {
	t.Helper()
	var page listing.Page
	if err := json.Unmarshal([]byte(got.Out), &page); err != nil || got.Code != client.ExitDone {
		t.Fatalf("%+v, %v", got, err)
	}
	for _, r := range page.Records {
		names = append(names, r.Record)
	}
	return names
}

// masked returns a text without what differs from run to run.
func masked(text string) string {
	text = regexp.MustCompile(`\b[0-9a-f]{64}\b`).ReplaceAllString(text, strings.Repeat("a", 64))
	text = regexp.MustCompile(`(?m)^[0-9a-f]{12}\b`).ReplaceAllString(text, strings.Repeat("a", 12))
	text = regexp.MustCompile(`\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b`).ReplaceAllStringFunc(text, func(id string) string {
		if strings.HasPrefix(id, "00000000") {
			return id
		}
		return "11111111-1111-4111-8111-111111111111"
	})
	text = regexp.MustCompile(`\b20[0-9T:-]{17}(\.[0-9]+)?Z`).ReplaceAllString(text, "2026-01-02T03:04:05Z")
	text = regexp.MustCompile(`(unknown|done|UNKNOWN)  ( *)[0-9]s `).ReplaceAllString(text, "$1  ${2}0s ")
	return strings.NewReplacer("LEDGER", "sqlite:ledger.db", "DIGATE:9090", "10.0.0.1:9090", whoami(), "alice@host").Replace(text)
}

// An operator finds a doubt without token and request id, and settles it in the
// ledger itself. The caller's token may be gone.
func TestLedger_OperatorSettlesADoubtOfAnotherToken(t *testing.T) {
	o := operate(t)
	first, second := o.doubt(t, "order-1"), o.doubt(t, "order-2")
	if got := digate(t, "copy", clitest.TemplateID, "--request-id", "order-3", "--addr", o.addr); got.Code != client.ExitDone {
		t.Fatalf("%+v", got)
	}
	t.Setenv("DIGATE_TOKEN", "")
	for _, from := range [][]string{{"--ledger", o.spec}, {"--admin", o.admin}} {
		list := append([]string{"ledger", "list", "-o", "json"}, from...)
		if got := listedRecords(t, digate(t, list...)); len(got) != 3 {
			t.Errorf("%q: %q", from, got)
		}
		if got := listedRecords(t, digate(t, append(list, "--state", "unknown", "--since", "1h", "--template", lostTemplate)...)); len(got) != 2 || got[0] != second || got[1] != first {
			t.Errorf("%q: got %q, want %q", from, got, []string{second, first})
		}
		for _, spelt := range []string{"{" + strings.ToUpper(clitest.TemplateID) + "}", strings.ReplaceAll(clitest.TemplateID, "-", "")} {
			if got := listedRecords(t, digate(t, append(list, "--template", spelt)...)); len(got) != 1 {
				t.Errorf("%q: %s: %q", from, spelt, got)
			}
		}
		if got := listedRecords(t, digate(t, append(list, "--state", "unknown", "--template", clitest.TemplateID)...)); len(got) != 0 {
			t.Errorf("%q: %q", from, got)
		}
		got := digate(t, append([]string{"ledger", "show", "--record", first[:12]}, from...)...)
		if got.Code != client.ExitDone || !strings.Contains(got.Out, first) || !strings.Contains(got.Err, "candidates are shown with") || !strings.Contains(got.Err, " --integration ID") ||
			strings.Index(got.Err, " --integration ID") > strings.Index(got.Err, "This one only if the call surely created nothing") {
			t.Errorf("%q: %+v", from, got)
		}
		if got := digate(t, append([]string{"ledger", "show", "--record", strings.Repeat("0", 12)}, from...)...); got.Code != client.ExitFailed || !strings.Contains(got.Err, "no record whose name begins so") {
			t.Errorf("%q: %+v", from, got)
		}
	}
	settle := []string{"ledger", "resolve", "--record", first[:16], "--yes", "--addr", o.addr}
	// Nothing is changed without the ledger itself, and no integration is believed
	// without asking Diga.
	if got := digate(t, append(settle, "--not-created")...); got.Code != client.ExitUsage || !strings.Contains(got.Err, "an admin listener knows nobody") {
		t.Errorf("%+v", got)
	}
	made := o.emulator.Integrations(clitest.Token)
	settle = append(settle, "--ledger", o.spec)
	if got := digate(t, append(settle, "--integration", made[0].ID)...); got.Code != client.ExitFailed || !strings.Contains(got.Err, "no bearer token") {
		t.Errorf("%+v", got)
	}
	t.Setenv("DIGATE_TOKEN", clitest.Token)
	for what, test := range map[string]struct {
		resolution []string
		code       int
		want       string
	}{
		"a foreign id":  {[]string{"--integration", clitest.TemplateID}, client.ExitFailed, "is not one that this call can have created"},
		"one of a copy": {[]string{"--integration", made[len(made)-1].ID}, client.ExitFailed, "is not one that this call can have created"},
		"a tool":        {[]string{"--tool", made[0].ID}, client.ExitUsage, "the call is a CopyTemplate: it created no tool"},
		"a method":      {[]string{"--not-created", "--method", "CreateTool"}, client.ExitUsage, "the record is of CopyTemplate"},
	} {
		if got := digate(t, append(settle, test.resolution...)...); got.Code != test.code || !strings.Contains(got.Err, test.want) {
			t.Errorf("%s: %+v", what, got)
		}
	}
	got := digate(t, append(settle, "--integration", strings.ToUpper(made[0].ID))...)
	if got.Code != client.ExitDone || !strings.Contains(got.Out, "DONE") || !strings.Contains(got.Out, made[0].ID) {
		t.Fatalf("%+v", got)
	}
	for _, want := range []string{`"msg":"a call in doubt was settled"`, `"caller":"operator ` + whoami() + `"`, `"ledger_record":"` + first + `"`, `"resolution":"` + made[0].ID + `"`} {
		if !strings.Contains(got.Err, want) {
			t.Errorf("no %s in the log: %s", want, got.Err)
		}
	}
	// The caller's next call gets what was settled.
	if got := digate(t, "copy", lostTemplate, "--request-id", "order-1", "--addr", o.addr, "--name", "Shop order-1"); got.Code != client.ExitDone || !strings.Contains(got.Out, made[0].ID) {
		t.Errorf("%+v", got)
	}
	if got := digate(t, append(settle, "--not-created")...); got.Code != client.ExitFailed || !strings.Contains(got.Err, "is done, not in doubt") ||
		!strings.Contains(got.Err, "-> "+term.Self()+" ledger show --record "+first[:16]+" --ledger "+o.spec+" --addr "+o.addr+"\n") {
		t.Errorf("settled twice: %+v", got)
	}
}

// What is too early for a caller is too early for an operator: the server of the call
// fell silent and may still be sending it.
func TestLedgerResolve_OperatorTooEarly_IsRefused(t *testing.T) {
	t.Parallel()
	s := ledger.Settings{Spec: "sqlite:" + filepath.Join(t.TempDir(), "ledger.db")}
	l, err := backend.Open(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	c := ledger.Claim{Key: ledger.NewDigest(), Token: ledger.NewToken(), Method: "CreateIntegration", Lease: time.Minute}
	_, _, err = l.Claim(t.Context(), c)
	if err := errors.Join(err, l.MarkSending(t.Context(), c.Key, c.Token, ledger.MinLease), l.Close()); err != nil {
		t.Fatal(err)
	}
	resolve := []string{"ledger", "resolve", "--record", c.Key.RecordName(), "--not-created", "--yes", "--ledger", s.Spec}
	lines := filepath.Join(t.TempDir(), "audit.log")
	got := digate(t, append(resolve, "--audit-log", lines, "--audit-required")...)
	if text, err := os.ReadFile(lines); err != nil || strings.Count(string(text), `"event":"begin"`) != 1 ||
		!strings.Contains(string(text), `"kind":"operator","method":"digate.v1.LedgerService/ResolveCopy","caller":"operator `) ||
		!strings.Contains(string(text), c.Key.RecordName()) || !strings.Contains(string(text), `"outcome":"NOT_APPLICABLE","code":"FAILED_PRECONDITION"`) {
		t.Errorf("the audit log: %s, %v", text, err)
	}
	if got := digate(t, append(resolve, "--audit-log", filepath.Join(t.TempDir(), "no", "such"))...); got.Code != client.ExitFailed || !strings.Contains(got.Err, "--audit-log: ") {
		t.Errorf("%+v", got)
	}
	if got.Code != client.ExitFailed || !strings.Contains(got.Err, "may still be sending it; that it created nothing can be said from ") {
		t.Errorf("%+v", got)
	}
	if got := digate(t, "ledger", "list", "--ledger", s.Spec, "-o", "json"); !strings.Contains(got.Out, `"state":"unknown"`) || !strings.Contains(got.Out, `"lapsed":true`) {
		t.Errorf("%+v", got)
	}
}

// A mark decides against what the operator says. The audit log tells of both.
func TestLedgerResolve_OperatorAgainstTheMark_BothAreInTheAuditLog(t *testing.T) {
	for _, required := range []bool{false, true} {
		o := operate(t, func(c *config.Config) { c.Copies.SettleDoubts = "mark" })
		if got := digate(t, "copy", lostTemplate, "--request-id", "order-1", "--addr", o.addr, "--name", "Shop"); got.Code != client.ExitUnknown {
			t.Fatalf("%+v", got)
		}
		record := listedRecords(t, digate(t, "ledger", "list", "--ledger", o.spec, "-o", "json"))[0]
		made := o.emulator.Integrations(clitest.Token)[0].ID
		path := filepath.Join(t.TempDir(), "audit.log")
		resolve := []string{
			"ledger", "resolve", "--record", record, "--not-created", "--yes", "--settle-doubts", "mark",
			"--ledger", o.spec, "--addr", o.addr, "--audit-log", path,
		}
		begins := 0
		if required {
			resolve, begins = append(resolve, "--audit-required"), 2
		}
		if got := digate(t, resolve...); got.Code != client.ExitFailed || !strings.Contains(got.Err, "it created "+made+", which has its mark") {
			t.Fatalf("%+v", got)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{
			`"kind":"settlement","method":"digate.v1.LedgerService/ResolveCopy","caller":"operator [^"]+","authenticated_by":"none","template_id":"` + lostTemplate +
				`","integration_id":"` + made + `","ledger_record":"` + record + `","outcome":"NOT_APPLICABLE","code":"OK"`,
			`"kind":"operator",.*"ledger_record":"` + record + `","outcome":"NOT_APPLICABLE","code":"FAILED_PRECONDITION"`,
		} {
			if n := len(regexp.MustCompile(`"event":"end",.*`+want).FindAll(text, -1)); n != 1 {
				t.Errorf("%d lines with %s in %s", n, want, text)
			}
		}
		if n := strings.Count(string(text), `"event":"begin"`); n != begins {
			t.Errorf("%d writes began, want %d: %s", n, begins, text)
		}
	}
}

func TestScreens_LedgerOfAnOperator(t *testing.T) {
	o := operate(t)
	record := o.doubt(t, "order-1")
	screen := session(t, []string{
		"ledger list --state unknown --ledger LEDGER",
		"ledger show --record " + record[:12] + " --ledger LEDGER --addr DIGATE:9090",
		"ledger resolve --record " + record[:12] + " --not-created --yes --ledger LEDGER",
	}, place{"LEDGER", o.spec}, place{"DIGATE:9090", o.addr})
	screen = strings.ReplaceAll(screen, record[:12], strings.Repeat("a", 12))
	screen = strings.ReplaceAll(screen, strings.Repeat("a", 12)+record[12:], strings.Repeat("a", 64))
	clitest.Scroll(t, "ledger-operator", regexp.MustCompile(`"time":"[^"]*"`).ReplaceAllString(masked(screen), `"time":"…"`))
}

func TestLedgerList_WrongUsage_IsRefused(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"--limit", "0"}, {"--limit", "10000"}, {"--since", "yesterday"}, {"--state", "lost"}, {"--timeout", "0s"}, {"--template", clitest.TemplateID[:4]},
	} {
		if got := digate(t, append([]string{"ledger", "list"}, args...)...); got.Code != client.ExitUsage {
			t.Errorf("%q: %+v", args, got)
		}
	}
	for _, args := range [][]string{
		{"show"}, {"show", "order-1", "--record", "ab"}, {"resolve", "--yes", "--not-created"},
	} {
		if got := digate(t, append([]string{"ledger"}, args...)...); got.Code != client.ExitUsage || !strings.Contains(got.Err, "--record") {
			t.Errorf("%q: %+v", args, got)
		}
	}
	for _, args := range [][]string{
		{"list", "--admin", "127.0.0.1:1"}, {"list", "--admin", "http://127.0.0.1:1"}, {"list", "--ledger", "sqlite:" + filepath.Join(t.TempDir(), "none.db")},
	} {
		if got := digate(t, append([]string{"ledger"}, args...)...); got.Code != client.ExitFailed {
			t.Errorf("%q: %+v", args, got)
		}
	}
}

// What the admin listener refuses is told as it is, on one line.
func TestLedgerList_AdminListenerFails_TellsWhy(t *testing.T) {
	refuses := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "the ledger cannot be used;\nthe log has the cause", http.StatusServiceUnavailable)
	}))
	t.Cleanup(refuses.Close)
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(other.Close)
	for admin, want := range map[string]string{
		refuses.URL:          ": 503 Service Unavailable: the ledger cannot be used; the log has the cause\n",
		other.URL:            "digate: what is at " + other.Listener.Addr().String() + " is no admin listener of digate\n",
		"http://127.0.0.1:1": "connection refused\n",
	} {
		if got := digate(t, "ledger", "list", "--admin", admin); got.Code != client.ExitFailed || !strings.HasSuffix(got.Err, want) {
			t.Errorf("%s: %+v, want %q", admin, got, want)
		}
	}
}
