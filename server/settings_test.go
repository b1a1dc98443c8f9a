package server

import (
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/digate/digate/server/config"
	"github.com/digate/digate/server/telemetry"
	"github.com/digate/digate/server/upstream"
)

// Each setting about calls to Diga reaches the client that makes them.
func TestUpstreamConfig_EverySetting_ReachesTheClient(t *testing.T) {
	defaults, err := config.Defaults()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		set func(*config.Config)
		got func(upstream.Config) bool
	}{
		"upstream-url":              {func(c *config.Config) { c.UpstreamURL = "http://x" }, func(u upstream.Config) bool { return u.URL == "http://x" }},
		"upstream-timeout":          {func(c *config.Config) { c.UpstreamTimeout = 7 }, func(u upstream.Config) bool { return u.Timeout == 7 }},
		"max-deadline":              {func(c *config.Config) { c.MaxDeadline = time.Hour }, func(u upstream.Config) bool { return u.MaxTimeout == time.Hour }},
		"bulk-item-timeout":         {func(c *config.Config) { c.BulkItemTimeout = time.Hour }, func(u upstream.Config) bool { return u.MaxTimeout == time.Hour }},
		"upstream-idle-timeout":     {func(c *config.Config) { c.UpstreamIdleTimeout = 7 }, func(u upstream.Config) bool { return u.IdleTimeout == 7 }},
		"upstream-http2":            {func(c *config.Config) { c.UpstreamHTTP2 = true }, func(u upstream.Config) bool { return u.HTTP2 }},
		"max-request-bytes":         {func(c *config.Config) { c.MaxRequestBytes = 7 }, func(u upstream.Config) bool { return u.MaxRequest == 7 }},
		"max-response-bytes":        {func(c *config.Config) { c.MaxResponseBytes = 7 }, func(u upstream.Config) bool { return u.MaxResponse == 7 }},
		"max-response-header-bytes": {func(c *config.Config) { c.MaxResponseHeaderBytes = 7 }, func(u upstream.Config) bool { return u.MaxResponseHeader == 7 }},
		"min-deadline":              {func(c *config.Config) { c.MinDeadline = 7 }, func(u upstream.Config) bool { return u.MinTime == 7 }},
		"upstream-max-attempts":     {func(c *config.Config) { c.UpstreamMaxAttempts = 7 }, func(u upstream.Config) bool { return u.MaxAttempts == 7 }},
		"upstream-retry-budget":     {func(c *config.Config) { c.UpstreamRetryBudget = 0.7 }, func(u upstream.Config) bool { return u.RetryBudget == 0.7 }},
		"upstream-breaker-delay":    {func(c *config.Config) { c.UpstreamBreakerDelay = 7 }, func(u upstream.Config) bool { return u.BreakerDelay == 7 }},
		"upstream-min-in-flight":    {func(c *config.Config) { c.UpstreamMinInFlight = 7 }, func(u upstream.Config) bool { return u.MinInFlight == 7 }},
		"upstream-max-in-flight":    {func(c *config.Config) { c.UpstreamMaxInFlight = 7 }, func(u upstream.Config) bool { return u.MaxInFlight == 7 }},
		"upstream-max-queue":        {func(c *config.Config) { c.UpstreamMaxQueue = 7 }, func(u upstream.Config) bool { return u.MaxQueue == 7 }},
		"drift":                     {func(c *config.Config) { c.Drift = config.DriftFail }, func(u upstream.Config) bool { return u.Strict }},
	} {
		cfg := defaults
		before, err := UpstreamConfig(cfg, "v")
		if err != nil {
			t.Fatal(err)
		}
		c.set(&cfg)
		after, err := UpstreamConfig(cfg, "v")
		if err != nil {
			t.Fatal(err)
		}
		if c.got(before) || !c.got(after) {
			t.Errorf("--%s does not reach the upstream: %+v", name, after)
		}
		if after.UserAgent != "digate/v" || after.Credential == nil {
			t.Errorf("User-Agent %q", after.UserAgent)
		}
	}
}

// Each bound on connections reaches the HTTP server of its listener.
func TestHTTPServers_EveryBound_IsSet(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	s := &Server{log: log, telemetry: telemetry.New(log, nil), cfg: config.Config{
		ReadTimeout: 2 * time.Second, UpstreamTimeout: 3 * time.Second, WriteTimeout: 4 * time.Second,
		IdleTimeout: 6 * time.Second, MaxHeaderBytes: 7,
	}}
	rest := s.newREST(http.NotFoundHandler())
	if rest.ReadTimeout != 2*time.Second || rest.ReadHeaderTimeout != 2*time.Second || rest.WriteTimeout != 9*time.Second ||
		rest.IdleTimeout != 6*time.Second || rest.MaxHeaderBytes != 7 || rest.ErrorLog == nil {
		t.Errorf("REST: %+v", rest)
	}
	s.cfg.ReadTimeout = time.Hour
	if got := s.newREST(http.NotFoundHandler()).ReadHeaderTimeout; got != readHeaderTimeout {
		t.Errorf("REST: a header may take %v", got)
	}
	admin := s.newAdmin()
	if admin.ReadHeaderTimeout != readHeaderTimeout || admin.IdleTimeout != 6*time.Second || admin.MaxHeaderBytes != 7 || admin.ErrorLog == nil {
		t.Errorf("admin: %+v", admin)
	}
}
