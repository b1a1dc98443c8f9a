package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/server/certs/certstest"
	"github.com/digate/digate/test/await"
)

// With a file of accounts SIGHUP reads it, as often as it comes, and ends nothing.
func TestServe_SIGHUPWithAccounts_ReadsThemAndGoesOn(t *testing.T) {
	dir := t.TempDir()
	file, token := filepath.Join(dir, "accounts.yaml"), filepath.Join(dir, "token")
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(dir, "jwks.json"), `{"keys": [{"kty":"OKP","crv":"Ed25519","kid":"k","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`)
	write(token, "t")
	text := "accounts: {acme: {token: 'file://" + token + "'}}\n" +
		"issuers: {corp: {issuer: i, audience: a, keys: 'file://" + dir + "/jwks.json', algorithms: [EdDSA]}}\n" +
		"callers: {c: {identities: [{token: {issuer: corp, sub: c}}], allow: [{accounts: [acme], methods: ['*']}]}}\n"
	write(file, text)
	p := launchOnFreePorts(t, "serve", "--upstream-url", "http://127.0.0.1:1", "--accounts-file", file)
	p.err.Await(t, `"msg":"serving"`)
	p.signal(t, syscall.SIGHUP)
	p.err.Await(t, `"msg":"the file of accounts was read"`)
	write(file, text+"x: y\n")
	p.signal(t, syscall.SIGHUP)
	p.err.Await(t, `unknown key \"x\"`)
	p.signal(t, syscall.SIGTERM)
	if line := p.err.Await(t, `"msg":"draining"`); !strings.Contains(line, `"cause":"terminated signal received"`) {
		t.Errorf("the log is %s", line)
	}
	if code := p.wait(t); code != client.ExitDone {
		t.Errorf("exit code %d", code)
	}
}

// With files of certificates SIGHUP reads them, and ends nothing.
func TestServe_SIGHUPWithTLS_ReadsTheCertificateAndGoesOn(t *testing.T) {
	a := certstest.NewAuthority(t)
	dir := t.TempDir()
	cert, key := a.Pair(t, dir, "127.0.0.1")
	p := launchOnFreePorts(t, "serve", "--upstream-url", "http://127.0.0.1:1", "--tls-cert-file", cert, "--tls-key-file", key, "--tls-reload-interval", "1h")
	p.err.Await(t, `"msg":"serving"`)
	a.Pair(t, dir, "127.0.0.1")
	p.signal(t, syscall.SIGHUP)
	p.err.Await(t, `"msg":"new certificates are in use"`)
	p.signal(t, syscall.SIGTERM)
	if line := p.err.Await(t, `"msg":"draining"`); !strings.Contains(line, `"cause":"terminated signal received"`) {
		t.Errorf("the log is %s", line)
	}
	if code := p.wait(t); code != client.ExitDone {
		t.Errorf("exit code %d", code)
	}
}

// With an audit log in a file SIGHUP opens it again, and ends nothing.
func TestServe_SIGHUPWithAnAuditLog_OpensItAgainAndGoesOn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	p := launchOnFreePorts(t, "serve", "--upstream-url", "http://127.0.0.1:1", "--audit-log", path)
	p.err.Await(t, `"msg":"serving"`)
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	p.signal(t, syscall.SIGHUP)
	err := await.Poll(await.Patience, nil, func() error {
		text, err := os.ReadFile(path)
		if err == nil && !strings.Contains(string(text), `"event":"reopened"`) {
			err = errors.New("the file was not opened again")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	p.signal(t, syscall.SIGTERM)
	if code := p.wait(t); code != client.ExitDone {
		t.Errorf("exit code %d", code)
	}
	if text, err := os.ReadFile(path); err != nil || !strings.Contains(string(text), `"event":"closed"`) {
		t.Errorf("%s, %v", text, err)
	}
}

// The audit log on standard output is apart from the log.
func TestServe_AuditLogOnStandardOutput_IsAllThatIsThere(t *testing.T) {
	p := launchOnFreePorts(t, "serve", "--upstream-url", "http://127.0.0.1:1", "--audit-log", "-")
	p.err.Await(t, `"msg":"serving"`)
	p.out.Await(t, `"event":"opened"`)
	p.signal(t, syscall.SIGTERM)
	if code := p.wait(t); code != client.ExitDone {
		t.Errorf("exit code %d", code)
	}
	for line := range strings.Lines(p.out.String()) {
		if !strings.HasPrefix(line, `{"audit":1,`) {
			t.Errorf("on standard output: %s", line)
		}
	}
}
