package main

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/internal/need"
	"github.com/digate/digate/server/certs/certstest"
	"github.com/digate/digate/server/ledger"
	"github.com/digate/digate/server/ledger/backend"
	"github.com/digate/digate/server/socket"
	"github.com/digate/digate/test/rig"
)

const (
	oneAccount = "accounts:\n  acme:\n    token: env://TOKEN\n"
	oneCaller  = "callers:\n  billing:\n    identities:\n      - dns: billing.example\n    allow:\n      - accounts: [acme]\n        methods: [\"*\"]\n"
)

// With exit code 2, a service manager does not try again: somebody has to change the
// configuration first. What may be another way at the next start has exit code 1.
func TestServe_StartFails_TheExitCodeTellsMistakesFromWhatMayPass(t *testing.T) {
	t.Parallel()
	sh := need.Program(t, "sh")
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	file := func(name, text string) string { return certstest.Write(t, at(name), []byte(text)) }
	a := certstest.NewAuthority(t)
	cert, key := a.Pair(t, dir, "localhost")
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	free, err := net.Listen("tcp", "127.0.0.1:0") // which nobody has when it is closed
	if err != nil {
		t.Fatal(err)
	}
	_ = free.Close()
	takenSocket, err := socket.Listen(t.Context(), at("taken.sock"), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = takenSocket.Close() })
	l, err := backend.Open(t.Context(), ledger.Settings{Spec: "sqlite:" + at("ledger.db")})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	otherKey := file("other.key", strings.Repeat("0a", 32))
	noDatabase := file("text.db", strings.Repeat("no database ", 100))
	file("text.db.key", strings.Repeat("0a", 32))
	file("gone.db.key", strings.Repeat("0a", 32))
	noKey := file("lonely.db", "x")

	for name, c := range map[string]struct {
		args, env []string
		want      int
		says      string
	}{
		"a setting":                    {args: []string{"--upstream-timeout", "-1s"}, want: client.ExitUsage, says: "--upstream-timeout: "},
		"a setting in the environment": {env: []string{"DIGATE_UPSTREAM_TIMEOUT=soon"}, want: client.ExitUsage, says: "--upstream-timeout: "},
		"no file of settings":          {args: []string{"--config", at("no.yaml")}, want: client.ExitUsage, says: "--config: "},
		"a file of settings":           {args: []string{"--config", file("typo.yaml", "upstream-tmeout: 1s\n")}, want: client.ExitUsage, says: "--config "},

		"no file of accounts":              {args: []string{"--accounts-file", at("no.yaml")}, want: client.ExitUsage, says: "--accounts-file: "},
		"a file of accounts":               {args: []string{"--accounts-file", file("tabs.yaml", "accounts:\n\t- x\n")}, want: client.ExitUsage, says: "--accounts-file: "},
		"no way to authenticate":           {args: []string{"--accounts-file", file("nobody.yaml", oneAccount+oneCaller)}, env: []string{"TOKEN=hunter2"}, want: client.ExitUsage, says: "nobody could authenticate"},
		"an account without a token":       {args: []string{"--accounts-file", file("token.yaml", oneAccount+oneCaller), "--tls-cert-file", cert, "--tls-key-file", key, "--tls-client-ca-file", cert}, want: client.ExitUsage, says: "--accounts-file: "},
		"a claim without an issuer":        {args: []string{"--caller-id-claim", "sub"}, want: client.ExitUsage, says: "--caller-id-"},
		"no certificate":                   {args: []string{"--tls-cert-file", at("no.crt"), "--tls-key-file", key}, want: client.ExitUsage, says: "--tls-cert-file: "},
		"a certificate with another's key": {args: []string{"--tls-cert-file", cert, "--tls-key-file", file("key.txt", "x")}, want: client.ExitUsage, says: "--tls-key-file: "},
		"no authorities of Diga's":         {args: []string{"--upstream-ca-file", at("no.crt")}, want: client.ExitUsage, says: "--upstream-ca-file: "},
		"a proxy":                          {env: []string{"HTTPS_PROXY=ftp://proxy.example"}, want: client.ExitUsage, says: "HTTPS_PROXY in the environment "},
		"a variable of OpenTelemetry":      {env: []string{"OTEL_TRACES_EXPORTER=zipkin"}, want: client.ExitUsage, says: "OTEL_TRACES_EXPORTER asks for "},
		"a collector's certificate":        {env: []string{"OTEL_TRACES_EXPORTER=otlp", "OTEL_EXPORTER_OTLP_CERTIFICATE=" + at("no.crt")}, want: client.ExitUsage, says: "OTEL_EXPORTER_OTLP_CERTIFICATE "},
		"an audit log in no directory":     {args: []string{"--audit-log", at("no/audit.log")}, want: client.ExitUsage, says: "--audit-log: "},
		"an audit log that is a directory": {args: []string{"--audit-log", dir}, want: client.ExitUsage, says: "--audit-log: "},

		"no key file":                        {args: []string{"--ledger", "postgres://u@127.0.0.1/d", "--ledger-key-file", at("no.key")}, want: client.ExitUsage, says: "--ledger-key-file: "},
		"a ledger without a key file":        {args: []string{"--ledger", "postgres://u@127.0.0.1/d"}, want: client.ExitUsage, says: "--ledger: "},
		"a ledger of another key":            {args: []string{"--ledger", "sqlite:" + at("ledger.db"), "--ledger-key-file", otherKey}, want: client.ExitUsage, says: "--ledger: the ledger was written under another key"},
		"a ledger in no directory":           {args: []string{"--ledger", "sqlite:" + at("no/ledger.db")}, want: client.ExitUsage, says: "--ledger: "},
		"a ledger that is a directory":       {args: []string{"--ledger", "sqlite:" + dir}, want: client.ExitUsage, says: "--ledger: "},
		"a ledger that is no database":       {args: []string{"--ledger", "sqlite:" + noDatabase}, want: client.ExitUsage, says: "--ledger: "},
		"a ledger whose key is gone":         {args: []string{"--ledger", "sqlite:" + noKey}, want: client.ExitUsage, says: "--ledger: "},
		"a key whose ledger is gone":         {args: []string{"--ledger", "sqlite:" + at("gone.db")}, want: client.ExitUsage, says: "--ledger: "},
		"a socket in no directory":           {args: []string{"--grpc-addr", "unix:" + at("no/grpc.sock")}, want: client.ExitUsage, says: "--grpc-addr: "},
		"a socket in place of a file":        {args: []string{"--http-addr", "unix:" + cert}, want: client.ExitUsage, says: "--http-addr: "},
		"a socket of systemd with no name":   {env: []string{"LISTEN_FDS=1", "LISTEN_FDNAMES=other"}, want: client.ExitUsage, says: "FileDescriptorName="},
		"an address of systemd that is none": {env: []string{"NOTIFY_SOCKET=relative"}, want: client.ExitUsage, says: "NOTIFY_SOCKET: "},

		"a port that is taken":                {args: []string{"--grpc-addr", taken.Addr().String()}, want: client.ExitFailed, says: "--grpc-addr: "},
		"an admin port that is taken":         {args: []string{"--admin-addr", taken.Addr().String()}, want: client.ExitFailed, says: "--admin-addr: "},
		"a taken port, and no directory":      {args: []string{"--grpc-addr", taken.Addr().String(), "--http-addr", "unix:" + at("no/http.sock")}, want: client.ExitUsage, says: "\n  --http-addr: "},
		"one address for two":                 {args: []string{"--grpc-addr", "unix:" + at("two.sock"), "--http-addr", "unix:" + at("two.sock")}, want: client.ExitUsage, says: "--http-addr: unix:" + at("two.sock") + " is the address of --grpc-addr too"},
		"a socket that is taken":              {args: []string{"--http-addr", "unix:" + at("taken.sock")}, want: client.ExitFailed, says: "--http-addr: "},
		"an address that is not there yet":    {args: []string{"--grpc-addr", "192.0.2.1:0"}, want: client.ExitFailed, says: "--grpc-addr: "},
		"a database that is away":             {args: []string{"--ledger", "postgres://u@" + free.Addr().String() + "/d", "--ledger-key-file", otherKey}, want: client.ExitFailed, says: "--ledger: "},
		"a database on a socket that is away": {args: []string{"--ledger", "postgres://u@/d?host=" + dir, "--ledger-key-file", otherKey}, want: client.ExitFailed, says: "--ledger: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const anyPort = "127.0.0.1:0"
			args := []string{"-c", `LISTEN_PID=$$ exec "$@"`, "sh", binary(t), "serve"}
			for _, flag := range []string{"--grpc-addr", "--http-addr", "--admin-addr"} {
				if len(c.args) == 0 || c.args[0] != flag {
					args = append(args, flag, anyPort)
				}
			}
			p := new(process)
			cmd := exec.Command(sh, append(args, c.args...)...)
			cmd.Env, cmd.Stderr = append(rig.Environment(), c.env...), &p.err
			cmd.Dir = dir
			p.start(t, cmd)
			if code := p.wait(t); code != c.want {
				t.Errorf("exit code %d, want %d", code, c.want)
			}
			if said := p.err.String(); !strings.Contains(said, "digate: ") || !strings.Contains(said, c.says) || strings.Contains(said, "hunter2") {
				t.Errorf("it said:\n%s", said)
			}
		})
	}
}

// Diga may be away when the server starts.
func TestServe_DigaIsAwayAtTheStart_Serves(t *testing.T) {
	t.Parallel()
	p := launchOnFreePorts(t, "serve", "--upstream-url", "http://127.0.0.1:1")
	p.err.Await(t, `"msg":"serving"`)
	if err := p.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if code := p.wait(t); code != client.ExitDone {
		t.Errorf("exit code %d:\n%s", code, p.err.String())
	}
}
