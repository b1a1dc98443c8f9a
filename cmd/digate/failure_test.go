package main

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/clitest"
	"github.com/digate/digate/cmd/digate/internal/term"
	"github.com/digate/digate/server/emulator"
	"github.com/digate/digate/test/await"
	"github.com/digate/digate/test/rig"
)

// fault returns the id of the template that goes wrong in the way that the name says.
func fault(t *testing.T, name string) string {
	t.Helper()
	for _, f := range emulator.Faults() {
		if f.Name == name {
			return f.ID
		}
	}
	t.Fatalf("there is no fault %s", name)
	return ""
}

type failureJSON struct {
	Error struct {
		Code, Reason, Outcome, Message string
		HTTPStatus                     int    `json:"http_status"`
		RetryAfter                     string `json:"retry_after"`
		Violations                     []struct{ Field, Description string }
	}
}

func TestCopy_Failures_ExitWithTheirOutcome(t *testing.T) {
	addr, e := stand(t)
	for name, row := range map[string]struct {
		template      string
		code          int
		outcome, grpc string
		reason        string
		http          int
		text          []string
		created       int
	}{
		"invalid id": {"x", client.ExitNotSent, "NOT_SENT", "INVALID_ARGUMENT", "INVALID_REQUEST", 0,
			[]string{"template_id: must be", "Nothing was sent"}, 0},
		"not found": {clitest.NoTemplate, client.ExitRejected, "REJECTED", "NOT_FOUND", "INTEGRATION_TEMPLATE_NOT_FOUND", 404,
			[]string{"HTTP 404 from Diga", "did not do it"}, 0},
		"rate limited": {fault(t, "rate-limited"), client.ExitRejected, "REJECTED", "RESOURCE_EXHAUSTED", "RATE_LIMIT_EXCEEDED", 429,
			[]string{"HTTP 429 from Diga", "retry after 2s"}, 0},
		"internal error": {fault(t, "internal-error"), client.ExitUnknown, "UNKNOWN", "INTERNAL", "INTERNAL_SERVER_ERROR", 500,
			[]string{"HTTP 500 from Diga", "may have been done"}, 0},
		"a proxy's page": {fault(t, "bad-gateway"), client.ExitUnknown, "UNKNOWN", "UNKNOWN", "UPSTREAM_GATEWAY", 502,
			[]string{"HTTP 502 from Diga", "may have been done"}, 0},
		"reset before commit": {fault(t, "reset-before-commit"), client.ExitUnknown, "UNKNOWN", "UNKNOWN", "OUTCOME_UNKNOWN", 0,
			[]string{"may have been done"}, 0},
		"reset after commit": {fault(t, "reset-after-commit"), client.ExitUnknown, "UNKNOWN", "UNKNOWN", "OUTCOME_UNKNOWN", 0,
			[]string{"may have been done"}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			before := len(e.Integrations(clitest.Token))
			text := digate(t, "copy", row.template, "--addr", addr)
			if n := len(e.Integrations(clitest.Token)) - before; n != row.created {
				t.Errorf("%d integrations came into being", n)
			}
			clitest.CheckNoSecret(t, text)
			if text.Code != row.code || text.Out != "" || !strings.HasPrefix(text.Err, row.outcome+": ") {
				t.Errorf("exit code %d, want %d; stdout %q, stderr %q", text.Code, row.code, text.Out, text.Err)
			}
			for _, want := range append(row.text, "code "+row.grpc+", reason "+row.reason) {
				if !strings.Contains(text.Err, want) {
					t.Errorf("no %q in:\n%s", want, text.Err)
				}
			}
			inJSON := digate(t, "copy", row.template, "--addr", addr, "-o", "json")
			var f failureJSON
			if err := json.Unmarshal([]byte(inJSON.Err), &f); err != nil || strings.Count(inJSON.Err, "\n") != 1 {
				t.Fatalf("%v in %q", err, inJSON.Err)
			}
			got := f.Error
			if inJSON.Code != row.code || inJSON.Out != "" || got.Outcome != row.outcome || got.Code != row.grpc || got.Reason != row.reason || got.HTTPStatus != row.http || got.Message == "" {
				t.Errorf("exit code %d, %+v", inJSON.Code, got)
			}
			if row.http == 429 && got.RetryAfter != "2s" {
				t.Errorf("retry_after %q", got.RetryAfter)
			}
			if row.template == "x" && (len(got.Violations) != 1 || got.Violations[0].Field != "template_id") {
				t.Errorf("violations %v", got.Violations)
			}
		})
	}
}

func TestCopy_OneViolation_IsSaidOnce(t *testing.T) {
	addr, _ := stand(t)
	got := digate(t, "copy", "x", "--addr", addr)
	if strings.Count(got.Err, "template_id") != 1 {
		t.Errorf("%s", got.Err)
	}
	got = digate(t, "copy", "x", "--addr", addr, "--request-id", "\u00e9")
	if !strings.Contains(got.Err, "\n  template_id: ") || !strings.Contains(got.Err, "\n  request_id: ") {
		t.Errorf("%s", got.Err)
	}
}

func TestCopy_NoDigate_IsNotSentAndSaysWhy(t *testing.T) {
	t.Setenv("DIGATE_TOKEN", clitest.Token)
	addr := rig.FreeAddr(t)
	got := digate(t, "copy", clitest.TemplateID, "--addr", addr)
	if got.Code != client.ExitNotSent || !strings.HasPrefix(got.Err, "NOT_SENT: no digate at "+addr+": connect: connection refused\n") || strings.Count(got.Err, addr) != 1 ||
		!strings.Contains(got.Err, "connection refused\n") || !strings.Contains(got.Err, client.ReasonUnreachable) {
		t.Errorf("%+v", got)
	}
	got = digate(t, "copy", clitest.TemplateID, "--addr", addr, "-o", "json")
	var f failureJSON
	if err := json.Unmarshal([]byte(got.Err), &f); err != nil || f.Error.Outcome != "NOT_SENT" || f.Error.Reason != client.ReasonUnreachable || f.Error.Code != "UNAVAILABLE" {
		t.Errorf("%v in %+v", err, got)
	}
}

func TestCopy_UpstreamNotThere_IsNotSent(t *testing.T) {
	addr := facade(t, "http://"+rig.FreeAddr(t))
	t.Setenv("DIGATE_TOKEN", clitest.Token)
	got := digate(t, "copy", clitest.TemplateID, "--addr", addr)
	if got.Code != client.ExitNotSent || !strings.Contains(got.Err, "reason UPSTREAM_UNREACHABLE") {
		t.Errorf("%+v", got)
	}
}

// silent listens, takes connections and never writes. It sends on accepted once
// for each connection.
func silent(t *testing.T) (addr string, accepted chan bool) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	accepted = make(chan bool, 16)
	ended := make(chan bool)
	var conns []net.Conn
	go func() {
		defer close(ended)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			conns = append(conns, c)
			accepted <- true
		}
	}()
	t.Cleanup(func() {
		_ = ln.Close()
		<-ended
		for _, c := range conns {
			_ = c.Close()
		}
	})
	return ln.Addr().String(), accepted
}

func TestCopy_DigateThatSaysNothing_IsNotSent(t *testing.T) {
	t.Setenv("DIGATE_TOKEN", clitest.Token)
	addr, accepted := silent(t)
	got := digate(t, "copy", clitest.TemplateID, "--addr", addr, "--timeout", "50ms")
	if got.Code != client.ExitNotSent || !strings.Contains(got.Err, ": timed out\n") {
		t.Errorf("%+v", got)
	}
	for len(accepted) > 0 {
		<-accepted
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-accepted; cancel() }()
	var stderr strings.Builder
	if code := run(ctx, []string{"copy", clitest.TemplateID, "--addr", addr}, term.IO{In: nil, Out: &stderr, Err: &stderr}); code != client.ExitNotSent || !strings.Contains(stderr.String(), ": interrupted\n") {
		t.Errorf("exit code %d, %s", code, stderr.String())
	}
}

func TestCopy_NoResponseInTime_IsUnknown(t *testing.T) {
	addr, _ := stand(t)
	got := digate(t, "copy", fault(t, "hang"), "--addr", addr, "--timeout", "200ms")
	if got.Code != client.ExitUnknown || !strings.Contains(got.Err, "DEADLINE_EXCEEDED") {
		t.Errorf("%+v", got)
	}
}

func TestCopy_Interrupted_IsUnknown(t *testing.T) {
	e := emulator.New(emulator.Options{})
	arrived := make(chan struct{}, 1)
	addr := upstreamOf(t, func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		e.ServeHTTP(w, r)
	})
	t.Cleanup(e.Close)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-arrived; cancel() }()
	var stderr strings.Builder
	code := run(ctx, []string{"copy", fault(t, "hang"), "--addr", addr, "--timeout", await.Patience.String()}, term.IO{In: nil, Out: &stderr, Err: &stderr})
	if code != client.ExitUnknown || !strings.Contains(stderr.String(), "CANCELLED") {
		t.Errorf("exit code %d, %s", code, stderr.String())
	}
}
