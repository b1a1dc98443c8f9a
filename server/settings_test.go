package server

import (
	"encoding/pem"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/digate/digate/server/certs"
	"github.com/digate/digate/server/config"
	"github.com/digate/digate/server/contractwatch"
	"github.com/digate/digate/server/copies"
	"github.com/digate/digate/server/gateway"
	"github.com/digate/digate/server/httpserver"
	"github.com/digate/digate/server/intake"
	"github.com/digate/digate/server/integration"
	"github.com/digate/digate/server/ledger"
	"github.com/digate/digate/server/ledgerservice"
	"github.com/digate/digate/server/telemetry"
	"github.com/digate/digate/server/upstream"
)

// wired is what a server makes its parts of.
type wired struct {
	upstream          upstream.Config
	integration       integration.Config
	gateway           gateway.Config
	copies            copies.Config
	records           ledgerservice.Config
	intake            *intake.Intake
	watch             *contractwatch.Watch
	grpc, rest, admin *listener
	calls             reflect.Value // the options in a grpc.Server
	http, adminHTTP   *httpserver.Server
	certificates      *certs.Watch
}

// keepalive returns the gRPC server's parameters.
func (w wired) keepalive(name string) time.Duration {
	return time.Duration(w.calls.FieldByName("keepaliveParams").FieldByName(name).Int())
}

func wire(t *testing.T, cfg config.Config) wired {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	s := &Server{cfg: cfg, log: log, telemetry: telemetry.New(log, nil, time.Minute), engine: ledger.Memory, keys: ledger.RandomKeys(), beforeDrain: t.Context()}
	s.makeListeners(nil)
	if err := s.openCertificates(); err != nil {
		t.Fatal(err)
	}
	u, err := UpstreamConfig(cfg, "v")
	if err != nil {
		t.Fatal(err)
	}
	s.intake, s.arrivals = s.newIntake(), s.newArrivals()
	watch, err := s.newContractWatch("v")
	if err != nil {
		t.Fatal(err)
	}
	srv := s.newGRPC(nil, nil)
	t.Cleanup(srv.Stop)
	return wired{
		upstream: u, integration: s.integrationConfig(nil), gateway: s.gatewayConfig(nil), copies: s.copiesConfig(),
		records: s.ledgerServiceConfig(), intake: s.intake, watch: watch, grpc: s.grpc, rest: s.rest, admin: s.admin,
		calls: reflect.ValueOf(srv).Elem().FieldByName("opts"),
		http:  s.newREST(http.NotFoundHandler()), adminHTTP: s.newAdmin(),
		certificates: s.certificates,
	}
}

// authorityFile returns a PEM file with a certificate authority.
func authorityFile(t *testing.T) string {
	t.Helper()
	srv := httptest.NewTLSServer(nil)
	defer srv.Close()
	path := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
	if err := os.WriteFile(path, block, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// elsewhere are the settings that a test of what they do holds: those of the
// ledger in its package, the others against a running server or command.
var elsewhere = map[string]bool{
	"accounts-file": true, "caller-id-claim": true, "caller-id-issuer": true, "caller-id-audience": true, "caller-id-keys": true, "caller-id-algorithms": true,
	"audit-log": true, "audit-required": true, "open-reflection": true, "web-rpc": true, "docs": true,
	"ledger": true, "ledger-key-file": true, "ledger-memory-records": true, "ready-needs-ledger": true,
	"max-error-bytes": true, "grpc-max-response-bytes": true, "max-decoded-bytes": true, "max-waiting-streams": true, "drain-delay": true, "shutdown-timeout": true, "log-level": true,
}

// settingTest sets a setting, and reports whether it arrived.
type settingTest struct {
	set func(*config.Config)
	got func(wired) bool
}

// Each setting reaches every part that it sets.
func TestServer_EverySetting_ReachesItsParts(t *testing.T) {
	t.Parallel()
	ca := authorityFile(t)
	tests := map[string]settingTest{
		"grpc-addr":   {func(c *config.Config) { c.GRPCAddr = "x:1" }, func(w wired) bool { return w.grpc.addr == "x:1" }},
		"http-addr":   {func(c *config.Config) { c.HTTPAddr = "x:1" }, func(w wired) bool { return w.rest.addr == "x:1" }},
		"socket-mode": {func(c *config.Config) { c.SocketMode = "0660" }, func(w wired) bool { return w.grpc.mode == 0o660 && w.rest.mode == 0o660 && w.admin.mode == 0o660 }},
		"admin-addr":  {func(c *config.Config) { c.AdminAddr = "x:1" }, func(w wired) bool { return w.admin.addr == "x:1" }},

		"upstream-url": {func(c *config.Config) { c.Upstream.URL = "http://x" }, func(w wired) bool { return w.upstream.URL == "http://x" }},
		"upstream-timeout": {func(c *config.Config) { c.Upstream.Timeout = 7 * time.Second }, func(w wired) bool {
			return w.upstream.Timeout == 7*time.Second && w.copies.Timeout == 7*time.Second && w.integration.Timeout == 7*time.Second && w.http.WriteTimeout == 52*time.Second
		}},
		"upstream-idle-timeout":    {func(c *config.Config) { c.Upstream.IdleTimeout = 7 }, func(w wired) bool { return w.upstream.IdleTimeout == 7 }},
		"upstream-trace-context":   {func(c *config.Config) { c.Upstream.TraceContext = true }, func(w wired) bool { return w.upstream.TraceContext }},
		"upstream-http2":           {func(c *config.Config) { c.Upstream.HTTP2 = true }, func(w wired) bool { return w.upstream.HTTP2 }},
		"upstream-ca-file":         {func(c *config.Config) { c.Upstream.CAFile = ca }, func(w wired) bool { return w.upstream.Material.Authorities != nil }},
		"upstream-max-attempts":    {func(c *config.Config) { c.Upstream.MaxAttempts = 7 }, func(w wired) bool { return w.upstream.MaxAttempts == 7 }},
		"upstream-retry-budget":    {func(c *config.Config) { c.Upstream.RetryBudget = 0.7 }, func(w wired) bool { return w.upstream.RetryBudget == 0.7 }},
		"upstream-breaker-delay":   {func(c *config.Config) { c.Upstream.BreakerDelay = 7 }, func(w wired) bool { return w.upstream.BreakerDelay == 7 }},
		"upstream-max-queue-bytes": {func(c *config.Config) { c.Upstream.MaxQueueBytes = 7 }, func(w wired) bool { return w.upstream.MaxQueueBytes == 7 }},
		"upstream-max-in-flight":   {func(c *config.Config) { c.Upstream.MaxInFlight = 7 }, func(w wired) bool { return w.upstream.MaxInFlight == 7 }},
		"upstream-max-queue":       {func(c *config.Config) { c.Upstream.MaxQueue = 7 }, func(w wired) bool { return w.upstream.MaxQueue == 7 }},
		"min-deadline":             {func(c *config.Config) { c.Upstream.MinDeadline = 7 }, func(w wired) bool { return w.upstream.MinDeadline == 7 }},
		"drift":                    {func(c *config.Config) { c.Upstream.Drift = upstream.DriftFail }, func(w wired) bool { return w.upstream.Drift == upstream.DriftFail }},

		"contract-watch": {func(c *config.Config) { c.ContractWatch.Interval = 7 }, func(w wired) bool { return w.watch.Interval == 7 }},
		"contract-url":   {func(c *config.Config) { c.ContractWatch.URL = "http://x" }, func(w wired) bool { return w.watch.Source.URL == "http://x" }},

		"former-caller-id": {func(c *config.Config) { c.FormerCallerID = "token" }, func(w wired) bool {
			return w.copies.LedgerOf != nil && w.records.LedgerOf != nil
		}},
		"ledger-retention":   {func(c *config.Config) { c.Ledger.Retention = 7 * time.Hour }, func(w wired) bool { return w.records.Retention == 7*time.Hour }},
		"require-request-id": {func(c *config.Config) { c.Integration.RequireRequestID = true }, func(w wired) bool { return w.integration.RequireRequestID }},
		"settle-doubts": {func(c *config.Config) { c.Copies.SettleDoubts = "mark" }, func(w wired) bool {
			return w.copies.Marks != nil && w.records.Marks != nil && w.integration.Marked
		}},
		"unresolved": {func(c *config.Config) { c.Integration.Unresolved = "refuse" }, func(w wired) bool { return w.integration.Unresolved == "refuse" }},

		"bulk-concurrency": {func(c *config.Config) { c.Integration.Bulk.Concurrency = 7 }, func(w wired) bool { return w.integration.Bulk.Concurrency == 7 }},
		"bulk-max-items": {func(c *config.Config) { c.Integration.Bulk.MaxItems = 7 }, func(w wired) bool {
			return w.integration.Bulk.MaxItems == 7 && w.gateway.BulkMaxItems == 1000
		}},
		"admin-pprof": {func(c *config.Config) { c.Admin.Pprof = true }, func(w wired) bool {
			rec := httptest.NewRecorder()
			w.adminHTTP.Handler.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "http://localhost/debug/pprof/", nil))
			return rec.Code == http.StatusOK
		}},
		"admin-hosts": {func(c *config.Config) { c.Admin.HostNames = "a.test, b.test" }, func(w wired) bool {
			rec := httptest.NewRecorder()
			w.adminHTTP.Handler.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "http://b.test/healthz", nil))
			return rec.Code == http.StatusOK
		}},
		"cors-origins": {func(c *config.Config) { c.Gateway.CORSOrigins = "https://a.example, https://b.example" }, func(w wired) bool {
			return slices.Equal(w.gateway.Origins(), []string{"https://a.example", "https://b.example"})
		}},
		"bulk-rest-max-items": {func(c *config.Config) { c.Gateway.BulkMaxItems = 7 }, func(w wired) bool {
			return w.gateway.BulkMaxItems == 7 && w.integration.Bulk.MaxItems == 1_000_000
		}},
		"bulk-item-timeout": {func(c *config.Config) { c.Integration.Bulk.ItemTimeout = time.Hour }, func(w wired) bool {
			return w.integration.Bulk.ItemTimeout == time.Hour && w.upstream.MaxTimeout == time.Hour && w.records.OwnerGone == time.Hour+claimLease
		}},
		"bulk-stall-timeout": {func(c *config.Config) { c.Integration.Bulk.StallTimeout = 7 }, func(w wired) bool {
			return w.integration.Bulk.StallTimeout == 7 && w.gateway.Stall == 7
		}},

		"max-request-bytes": {func(c *config.Config) { c.MaxRequestBytes = 7 }, func(w wired) bool {
			return w.upstream.MaxRequest == 7 && w.gateway.MaxBody == 7 && w.intake.MaxMessage == 7
		}},
		"upstream-max-response-bytes":        {func(c *config.Config) { c.Responses.MaxResponse = 7 }, func(w wired) bool { return w.upstream.MaxResponse == 7 }},
		"upstream-max-response-header-bytes": {func(c *config.Config) { c.Responses.MaxResponseHeader = 7 }, func(w wired) bool { return w.upstream.MaxResponseHeader == 7 }},
		"max-header-bytes": {func(c *config.Config) { c.MaxHeaderBytes = 1 << 20 }, func(w wired) bool {
			return w.http.MaxHeaderBytes == 1<<20 && w.adminHTTP.MaxHeaderBytes == 1<<20 && w.calls.FieldByName("maxHeaderListSize").Elem().Uint() == 4<<20
		}},
		"max-connections": {func(c *config.Config) { c.MaxConnections = 7 }, func(w wired) bool {
			return w.grpc.limits.connections == 7 && w.rest.limits.connections == 7
		}},
		"max-streams": {func(c *config.Config) { c.MaxStreams = 7 }, func(w wired) bool {
			return w.calls.FieldByName("maxConcurrentStreams").Uint() == 7 && w.http.HTTP2.MaxConcurrentStreams == 7
		}},
		"max-deadline": {func(c *config.Config) { c.MaxDeadline = time.Hour }, func(w wired) bool {
			return w.upstream.MaxTimeout == time.Hour && w.gateway.MaxDeadline == time.Hour && w.records.OwnerGone == time.Hour+claimLease
		}},
		"read-timeout": {func(c *config.Config) { c.ReadTimeout = 2 * time.Second }, func(w wired) bool {
			return w.http.ReadTimeout == 2*time.Second && w.http.ReadHeaderTimeout == 2*time.Second && w.http.WriteTimeout == 47*time.Second
		}},
		"write-timeout": {func(c *config.Config) { c.WriteTimeout = 7 * time.Second }, func(w wired) bool {
			return w.grpc.limits.writeStall == 7*time.Second && w.rest.limits.writeStall == 7*time.Second && w.http.WriteTimeout == 67*time.Second
		}},
		"idle-timeout": {func(c *config.Config) { c.IdleTimeout = 7 }, func(w wired) bool {
			return w.http.IdleTimeout == 7 && w.adminHTTP.IdleTimeout == 7 && w.keepalive("MaxConnectionIdle") == 7
		}},
		"grpc-max-connection-age": {func(c *config.Config) { c.MaxConnectionAge = time.Hour }, func(w wired) bool { return w.keepalive("MaxConnectionAge") == time.Hour }},
	}
	defaults := config.Defaults()
	maps.Copy(tests, tlsSettings(t, ca))
	for _, attr := range defaults.LogValue().Group() {
		c, ok := tests[attr.Key]
		if !ok {
			if !elsewhere[attr.Key] {
				t.Errorf("--%s has no test here: add to tests how it is set and where it arrives, or to elsewhere if a test of what it does holds it", attr.Key)
			}
			continue
		}
		cfg := defaults
		before := wire(t, cfg)
		c.set(&cfg)
		after := wire(t, cfg)
		if c.got(before) || !c.got(after) {
			t.Errorf("--%s does not reach what it sets", attr.Key)
		}
	}
}

// What no setting changes of the connections.
func TestServer_ConnectionsOfEveryListener_AreBounded(t *testing.T) {
	t.Parallel()
	w := wire(t, config.Defaults())
	if w.upstream.UserAgent != "digate/v" || w.upstream.Credential == nil {
		t.Errorf("User-Agent %q", w.upstream.UserAgent)
	}
	if w.http.ReadHeaderTimeout != 5*time.Second || w.http.ErrorLog == nil {
		t.Errorf("REST: %+v", w.http)
	}
	if got := w.http.HTTP2.MaxConcurrentStreams; got != maxRESTStreams {
		t.Errorf("REST: %d requests on one connection", got)
	}
	if w.adminHTTP.ReadHeaderTimeout != 5*time.Second || w.adminHTTP.ErrorLog == nil || w.admin.limits == nil || *w.admin.limits != *w.rest.limits {
		t.Errorf("admin: %+v", w.adminHTTP)
	}
	if got := time.Duration(w.calls.FieldByName("connectionTimeout").Int()); got != connectionTimeout {
		t.Errorf("gRPC: a new connection may take %v", got)
	}
	if got := w.keepalive("Time"); got != 2*time.Minute {
		t.Errorf("gRPC: a silent connection is pinged after %v", got)
	}
	if got := time.Duration(w.calls.FieldByName("keepalivePolicy").FieldByName("MinTime").Int()); got != time.Second {
		t.Errorf("gRPC: a client may ping every %v", got)
	}
}
