package server_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server"
	"github.com/digate/digate/server/config"
)

// startLeaving starts a server with an hour of drain delay and asks it to stop. It
// returns when the delay passes, with what ends it.
func startLeaving(t *testing.T, url string) (d *digate, hurry context.CancelFunc) {
	t.Helper()
	hurried, hurry := context.WithCancel(t.Context())
	t.Cleanup(hurry)
	cfg := settings(t, url)
	cfg.DrainDelay = time.Hour
	d = serveWith(t, cfg, server.Options{Hurry: func(delay context.Context) context.Context {
		ctx, cancel := context.WithCancel(delay)
		context.AfterFunc(hurried, cancel)
		return ctx
	}})
	d.stop()
	d.log.await(t, 1, `"msg":"leaving"`)
	return d, hurry
}

func TestRun_DrainDelay_TakesNewCallsAndIsNotReady(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	up.will(respond(201, nil, full))
	d, hurry := startLeaving(t, up.url())
	if got := d.admin(t, "/readyz"); got.status != http.StatusServiceUnavailable || !strings.Contains(got.body, "draining") {
		t.Errorf("readyz: %d %s", got.status, got.body)
	}
	if got := d.admin(t, "/healthz").status; got != http.StatusOK {
		t.Errorf("healthz: %d", got)
	}
	health, err := healthv1.NewHealthClient(d.conn).Check(t.Context(), &healthv1.HealthCheckRequest{})
	if err != nil || health.GetStatus() != healthv1.HealthCheckResponse_NOT_SERVING {
		t.Errorf("health: %v, %v", health, err)
	}
	for range 2 { // on new connections, and on those that are there
		if _, e := d.copyRPC(t, &integrationv1.CopyTemplateRequest{TemplateId: templateID}); e != nil {
			t.Errorf("gRPC: %v", e)
		}
		if got := d.copyREST(t, templateID, `{}`); got.status != http.StatusCreated {
			t.Errorf("REST: %d %s", got.status, got.body)
		}
	}
	select {
	case <-d.ended:
		t.Error("Run ended in the delay")
	default:
	}
	hurry()
	if err := d.wait(); err != nil {
		t.Errorf("Run: %v", err)
	}
	if log := d.log.String(); strings.Index(log, `"msg":"leaving"`) > strings.Index(log, `"msg":"draining"`) {
		t.Errorf("the drain was told of before the delay:\n%s", log)
	}
}

// A REST client that keeps its connection is told to make another, so that it has none
// that the drain would close under its next request.
func TestRun_DrainDelay_EndsKeptConnectionsWithTheirNextResponse(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	up.will(respond(201, nil, full))
	d, hurry := startLeaving(t, up.url())
	c := connect(t, d.HTTPAddr())
	_, _ = fmt.Fprintf(c, "POST /v1/integration/template/%s/copy HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: 2\r\n\r\n{}", templateID, token)
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusCreated || !resp.Close {
		t.Errorf("status %d, the connection ends: %v", resp.StatusCode, resp.Close)
	}
	hurry()
	if err := d.wait(); err != nil {
		t.Errorf("Run: %v", err)
	}
}

// The end of the delay begins the drain, whether or not somebody can be in a hurry.
func TestRun_DrainDelayOver_Drains(t *testing.T) {
	t.Parallel()
	d := start(t, "http://127.0.0.1:1", func(c *config.Config) { c.DrainDelay = 50 * time.Millisecond })
	d.stop()
	if err := d.wait(); err != nil {
		t.Errorf("Run: %v", err)
	}
	if log := d.log.String(); !strings.Contains(log, `"msg":"leaving"`) || !strings.Contains(log, `"msg":"draining"`) {
		t.Errorf("the log:\n%s", log)
	}
}
