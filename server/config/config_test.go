package config_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/digate/digate/server/config"
)

func defaults(t *testing.T) config.Config {
	t.Helper()
	c, err := config.Defaults()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestValidate_Defaults_AreValid(t *testing.T) {
	c := defaults(t)
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
}

func TestValidate_WrongSetting_NamesItsFlagAndQuotesNoCredential(t *testing.T) {
	notPEM := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(notPEM, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	for flag, changes := range map[string][]func(*config.Config){
		"grpc-addr":  {func(c *config.Config) { c.GRPCAddr = "9090" }},
		"http-addr":  {func(c *config.Config) { c.HTTPAddr = "" }},
		"admin-addr": {func(c *config.Config) { c.AdminAddr = "x" }},
		"upstream-url": {
			func(c *config.Config) { c.UpstreamURL = "ftp://x" },
			func(c *config.Config) { c.UpstreamURL = "https://" },
			func(c *config.Config) { c.UpstreamURL = "https://u:hunter2@x" },
			func(c *config.Config) { c.UpstreamURL = "https://x?k=hunter2" },
			func(c *config.Config) { c.UpstreamURL = "https://u:hunter2@x:port" },
		},
		"upstream-timeout":          {func(c *config.Config) { c.UpstreamTimeout = 0 }},
		"upstream-idle-timeout":     {func(c *config.Config) { c.UpstreamIdleTimeout = -1 }},
		"shutdown-timeout":          {func(c *config.Config) { c.ShutdownTimeout = 0 }},
		"max-request-bytes":         {func(c *config.Config) { c.MaxRequestBytes = 0 }},
		"max-response-bytes":        {func(c *config.Config) { c.MaxResponseBytes = 1 << 40 }},
		"max-header-bytes":          {func(c *config.Config) { c.MaxHeaderBytes = 100 }},
		"max-response-header-bytes": {func(c *config.Config) { c.MaxResponseHeaderBytes = 1 << 30 }},
		"max-error-bytes":           {func(c *config.Config) { c.MaxErrorBytes = 100 }, func(c *config.Config) { c.MaxErrorBytes = 8192 }},
		"max-connections":           {func(c *config.Config) { c.MaxConnections = 0 }},
		"max-streams":               {func(c *config.Config) { c.MaxStreams = 0 }},
		"read-timeout":              {func(c *config.Config) { c.ReadTimeout = 0 }},
		"write-timeout":             {func(c *config.Config) { c.WriteTimeout = -1 }},
		"idle-timeout":              {func(c *config.Config) { c.IdleTimeout = 0 }},
		"grpc-max-connection-age":   {func(c *config.Config) { c.MaxConnectionAge = -1 }},
		"upstream-max-attempts":     {func(c *config.Config) { c.UpstreamMaxAttempts = 0 }, func(c *config.Config) { c.UpstreamMaxAttempts = 11 }},
		"upstream-retry-budget": {
			func(c *config.Config) { c.UpstreamRetryBudget = 1.1 },
			func(c *config.Config) { c.UpstreamRetryBudget = math.NaN() },
		},
		"upstream-breaker-delay": {func(c *config.Config) { c.UpstreamBreakerDelay = -1 }},
		"upstream-min-in-flight": {func(c *config.Config) { c.UpstreamMinInFlight = 0 }, func(c *config.Config) { c.UpstreamMinInFlight = 2000 }},
		"upstream-max-in-flight": {func(c *config.Config) { c.UpstreamMaxInFlight = 2_000_000 }},
		"upstream-max-queue":     {func(c *config.Config) { c.UpstreamMaxQueue = 0 }},
		"min-deadline":           {func(c *config.Config) { c.MinDeadline = -1 }, func(c *config.Config) { c.MinDeadline = time.Hour }},
		"drift":                  {func(c *config.Config) { c.Drift = "ignore" }},
		"upstream-ca-file": {
			func(c *config.Config) { c.UpstreamCAFile = "/nonexistent" },
			func(c *config.Config) { c.UpstreamCAFile = notPEM },
		},
	} {
		for i, change := range changes {
			c := defaults(t)
			change(&c)
			err := c.Validate()
			if err == nil || !strings.HasPrefix(err.Error(), "--"+flag+": ") || strings.Contains(err.Error(), "\n") {
				t.Errorf("--%s, case %d: %v", flag, i, err)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("--%s, case %d: the error quotes a credential: %v", flag, i, err)
			}
		}
	}
}

func TestValidate_SeveralWrong_NamesAllOfThem(t *testing.T) {
	c := defaults(t)
	c.GRPCAddr, c.UpstreamURL = "x", "x"
	err := c.Validate()
	if err == nil || !strings.Contains(err.Error(), "--grpc-addr") || !strings.Contains(err.Error(), "--upstream-url") {
		t.Errorf("got %v", err)
	}
}

func TestConfig_EveryPrintingPath_HidesCredentials(t *testing.T) {
	for _, url := range []string{"https://user:hunter2@api.example", "https://user:hunter2@api.example:port"} {
		c := defaults(t)
		c.UpstreamURL = url
		var out bytes.Buffer
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
			fmt.Fprintf(&out, verb+"\n", c)
			fmt.Fprintf(&out, verb+"\n", &c)
		}
		slog.New(slog.NewJSONHandler(&out, nil)).Info("m", "config", c)
		slog.New(slog.NewTextHandler(&out, nil)).Info("m", "config", c)
		if strings.Contains(out.String(), "hunter2") || strings.Contains(out.String(), fmt.Sprintf("%x", "hunter2")) {
			t.Errorf("a printing path shows the credential:\n%s", out.String())
		}
		for _, shown := range []string{"grpc-addr=:9090", `"grpc-addr":":9090"`, `"upstream-timeout":"30s"`} {
			if !strings.Contains(out.String(), shown) {
				t.Errorf("%s is not shown", shown)
			}
		}
	}
}

func TestConfig_EveryField_HasAFlagAndHelp(t *testing.T) {
	typ := reflect.TypeFor[config.Config]()
	for f := range typ.Fields() {
		if f.Tag.Get("name") == "" || f.Tag.Get("help") == "" {
			t.Errorf("%s has no flag or no help", f.Name)
		}
	}
}
