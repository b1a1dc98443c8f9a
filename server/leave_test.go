package server_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server"
	"github.com/digate/digate/server/config"
)

// startLeaving is startPatient with a server that was asked to stop.
func startLeaving(t *testing.T, url string) (d *digate, hurry context.CancelFunc) {
	t.Helper()
	d, hurry = startPatient(t, url)
	d.leave(t)
	return d, hurry
}

// leave asks the server to stop, and returns when its drain delay passes.
func (d *digate) leave(t *testing.T) {
	t.Helper()
	d.stop()
	d.log.await(t, 1, `"msg":"leaving"`)
}

// startPatient starts a server with an hour of drain delay, which hurry ends.
func startPatient(t *testing.T, url string) (d *digate, hurry context.CancelFunc) {
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
// that the drain would close under its next request. That is so for a request that
// began before, too.
func TestRun_DrainDelay_EndsKeptConnectionsWithTheirNextResponse(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	arrived, release := make(chan bool, 2), make(chan bool)
	up.will(func(c net.Conn, r sent) bool {
		arrived <- true
		<-release
		return respond(201, nil, full)(c, r)
	})
	d, hurry := startPatient(t, up.url())
	request := func() *bufio.Reader {
		c := connect(t, d.HTTPAddr())
		_, _ = fmt.Fprintf(c, "POST /v1/integration/template/%s/copy HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: 2\r\n\r\n{}", templateID, token)
		<-arrived
		return bufio.NewReader(c)
	}
	before := request()
	d.leave(t)
	during := request()
	close(release)
	for when, r := range map[string]*bufio.Reader{"before": before, "during": during} {
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != http.StatusCreated || !resp.Close {
			t.Errorf("%s: status %d, the connection ends: %v", when, resp.StatusCode, resp.Close)
		}
		_ = resp.Body.Close()
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
