package examples

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/digate/digate/server/certs/authority"
	"github.com/digate/digate/test/rig"
)

// digate is a `digate dev`, and the environment of a client that may call it.
type digate struct {
	*rig.Server
	standIn string // the address of Diga's stand-in
	// environment is that of a client.
	environment []string
}

// faults make two reads of a template fail as if a proxy had failed.
const faults = `faults: [{match: {operation: get_template}, times: 2, response: {status: 502, body: Bad Gateway}}]
`

// newDigate starts a `digate dev` that sends each call once, so that what is repeated
// is repeated by the client, and that waits longer than a client runs, so that a deadline
// is the client's.
func newDigate(t *testing.T, flags ...string) *digate {
	t.Helper()
	binary, err := rig.Build("cmd/digate", false)
	must(t, err)
	dir := t.TempDir()
	state := write(t, dir, "state.yaml", []byte(faults))
	d := &digate{standIn: rig.FreeAddr(t)}
	cmd := rig.ServeCommand(binary, append([]string{
		"--emulator-addr", d.standIn, "--control", "--initial-state", state, "--upstream-max-attempts", "1",
		"--upstream-timeout", (2 * running).String(), "--max-deadline", (2 * running).String(),
	}, flags...)...)
	cmd.Args[1] = "dev"
	d.Server, err = rig.StartServer(cmd, filepath.Join(dir, "log"))
	must(t, err)
	t.Cleanup(func() { must(t, d.Stop()) })
	d.environment = []string{"DIGATE_ADDR=" + d.GRPC, "DIGATE_URL=http://" + d.REST, "DIGATE_TOKEN=dev"}
	return d
}

// newSecured starts a digate that knows its caller by a certificate, and has two accounts
// for it.
func newSecured(t *testing.T) *digate {
	t.Helper()
	own, err := authority.New("authority of the examples")
	must(t, err)
	cert, key, err := own.Issue(authority.Request{Names: []string{"127.0.0.1"}})
	must(t, err)
	callerCert, callerKey, err := own.Issue(authority.Request{Names: []string{"billing.example"}})
	must(t, err)
	dir := t.TempDir()
	authorities, token := write(t, dir, "ca.pem", own.PEM()), write(t, dir, "token", []byte("sk-acme\n"))
	accounts := fmt.Sprintf(`accounts: {acme: {token: "file://%s"}, globex: {token: "file://%[1]s"}}
callers: {billing: {identities: [{dns: billing.example}], allow: [{accounts: ["*"], methods: ["*"]}]}}
`, token)
	d := newDigate(t,
		"--tls-cert-file", write(t, dir, "tls.crt", cert), "--tls-key-file", write(t, dir, "tls.key", key),
		"--tls-client-ca-file", authorities, "--accounts-file", write(t, dir, "accounts.yaml", []byte(accounts)))
	d.environment = []string{
		"DIGATE_ADDR=" + d.GRPC, "DIGATE_URL=https://" + d.REST, "DIGATE_CA_FILE=" + authorities, "DIGATE_ACCOUNT=acme",
		"DIGATE_CERT_FILE=" + write(t, dir, "caller.crt", callerCert), "DIGATE_KEY_FILE=" + write(t, dir, "caller.key", callerKey),
	}
	return d
}

// calls returns how many calls of a method ended at digate, by the protocol.
func (d *digate) calls(t *testing.T, method, protocol string) (n int) {
	t.Helper()
	page, err := d.Get("/metrics")
	must(t, err)
	for line := range strings.Lines(page) {
		if strings.HasPrefix(line, "digate_calls_total{") && strings.Contains(line, `/`+method+`"`) && strings.Contains(line, `protocol="`+protocol+`"`) {
			value, err := strconv.Atoi(strings.TrimSpace(line[strings.LastIndexByte(line, ' ')+1:]))
			must(t, err)
			n += value
		}
	}
	return n
}

// requests returns how many requests the stand-in got that match a query of its journal.
func (d *digate) requests(t *testing.T, query string) int {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}
	resp, err := client.Get("http://" + d.standIn + "/_emulator/calls?" + query)
	must(t, err)
	defer func() { _ = resp.Body.Close() }()
	var journal struct{ Count int }
	must(t, json.NewDecoder(resp.Body).Decode(&journal))
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("the journal: %s", resp.Status)
	}
	return journal.Count
}

func write(t *testing.T, dir, name string, text []byte) (path string) {
	t.Helper()
	path = filepath.Join(dir, name)
	must(t, os.WriteFile(path, text, 0o600))
	return path
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
