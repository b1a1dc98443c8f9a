package config_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"github.com/digate/digate/server/authn/claim"
	"github.com/digate/digate/server/config"
	"github.com/digate/digate/server/setting"
)

func TestValidate_Defaults_AreValid(t *testing.T) {
	t.Parallel()
	c := config.Defaults()
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
}

// cannotBeWrong are the settings of which every value is a valid one, or which
// are read only when they are used.
var cannotBeWrong = []string{"admin-pprof", "ready-needs-ledger", "web-rpc", "upstream-http2", "upstream-trace-context", "ledger-key-file", "require-request-id", "accounts-file", "open-reflection", "log-level", "audit-log", "docs"}

func TestValidate_WrongSetting_NamesItsFlagAndQuotesNoCredential(t *testing.T) {
	t.Parallel()
	notPEM := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(notPEM, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string][]func(*config.Config){
		"grpc-addr":           {func(c *config.Config) { c.GRPCAddr = "9090" }, func(c *config.Config) { c.GRPCAddr = "unix:" }},
		"socket-mode":         {func(c *config.Config) { c.SocketMode = "rw" }},
		"http-addr":           {func(c *config.Config) { c.HTTPAddr = "" }},
		"admin-addr":          {func(c *config.Config) { c.AdminAddr = "x" }},
		"tls-cert-file":       {func(c *config.Config) { c.TLS.KeyFile = "x" }, func(c *config.Config) { c.TLS.CertFile, c.TLS.KeyFile = "/nonexistent", "x" }},
		"tls-key-file":        {func(c *config.Config) { c.TLS.CertFile = "x" }},
		"tls-client-ca-file":  {func(c *config.Config) { c.TLS.ClientCAFile = "x" }},
		"tls-client-auth":     {func(c *config.Config) { c.TLS.ClientAuth = "no" }, func(c *config.Config) { c.TLS.ClientAuth = "optional" }},
		"admin-tls":           {func(c *config.Config) { c.TLS.Admin = true }},
		"tls-reload-interval": {func(c *config.Config) { c.TLS.Reload = 0 }},
		"caller-id-claim": {
			func(c *config.Config) { c.CallerID.Issuer = "https://idp.example" },
			func(c *config.Config) { c.CallerID = callerID(); c.CallerID.Claim = "a\x00b" },
			func(c *config.Config) { c.CallerID, c.AccountsFile = callerID(), "accounts.yaml" },
		},
		"caller-id-issuer":   {func(c *config.Config) { c.CallerID = callerID(); c.CallerID.Issuer = "" }, func(c *config.Config) { c.CallerID = callerID(); c.CallerID.Issuer = "a\x00b" }},
		"caller-id-audience": {func(c *config.Config) { c.CallerID = callerID(); c.CallerID.Audience = "" }},
		"caller-id-keys": {
			func(c *config.Config) { c.CallerID = callerID(); c.CallerID.Keys = "" },
			func(c *config.Config) { c.CallerID = callerID(); c.CallerID.Keys = "http://idp.example/jwks.json" },
			func(c *config.Config) { c.CallerID = callerID(); c.CallerID.Keys = "https://u:hunter2@idp.example/" },
		},
		"caller-id-algorithms": {
			func(c *config.Config) { c.CallerID = callerID(); c.CallerID.Algorithms = "HS256" },
			func(c *config.Config) { c.CallerID = callerID(); c.CallerID.Algorithms = "none" },
			func(c *config.Config) { c.CallerID = callerID(); c.CallerID.Algorithms = "" },
		},
		"former-caller-id": {func(c *config.Config) { c.FormerCallerID = "name" }, func(c *config.Config) { c.FormerCallerID = "token" }},
		"upstream-url": {
			func(c *config.Config) { c.Upstream.URL = "ftp://x" },
			func(c *config.Config) { c.Upstream.URL = "https://" },
			func(c *config.Config) { c.Upstream.URL = "https://u:hunter2@x" },
			func(c *config.Config) { c.Upstream.URL = "https://x?k=hunter2" },
			func(c *config.Config) { c.Upstream.URL = "https://x#hunter2" },
			func(c *config.Config) { c.Upstream.URL = "https://u:hunter2@x:port" },
		},
		"upstream-timeout":                   {func(c *config.Config) { c.Upstream.Timeout = 0 }},
		"upstream-idle-timeout":              {func(c *config.Config) { c.Upstream.IdleTimeout = 0 }, func(c *config.Config) { c.Upstream.IdleTimeout = -1 }},
		"drain-delay":                        {func(c *config.Config) { c.DrainDelay = -1 }},
		"shutdown-timeout":                   {func(c *config.Config) { c.ShutdownTimeout = 0 }},
		"max-request-bytes":                  {func(c *config.Config) { c.MaxRequestBytes = 1<<10 - 1 }, func(c *config.Config) { c.MaxRequestBytes = 1<<30 + 1 }},
		"max-decoded-bytes":                  {func(c *config.Config) { c.MaxDecodedBytes = 1<<20 - 1 }, func(c *config.Config) { c.MaxDecodedBytes = 1<<40 + 1 }},
		"max-waiting-streams":                {func(c *config.Config) { c.MaxWaitingStreams = 255 }, func(c *config.Config) { c.MaxWaitingStreams = 1_000_001 }},
		"upstream-max-response-bytes":        {func(c *config.Config) { c.Responses.MaxResponse = 1<<10 - 1 }, func(c *config.Config) { c.Responses.MaxResponse = 1<<30 + 1 }},
		"max-header-bytes":                   {func(c *config.Config) { c.MaxHeaderBytes = 4<<10 - 1 }, func(c *config.Config) { c.MaxHeaderBytes = 16<<20 + 1 }},
		"upstream-max-response-header-bytes": {func(c *config.Config) { c.Responses.MaxResponseHeader = 4<<10 - 1 }, func(c *config.Config) { c.Responses.MaxResponseHeader = 16<<20 + 1 }},
		"grpc-max-response-bytes":            {func(c *config.Config) { c.MaxGRPCResponseBytes = 64<<10 - 1 }, func(c *config.Config) { c.MaxGRPCResponseBytes = 1<<30 + 1 }},
		"max-error-bytes":                    {func(c *config.Config) { c.MaxErrorBytes = 100 }, func(c *config.Config) { c.MaxErrorBytes = 8192 }},
		"max-connections":                    {func(c *config.Config) { c.MaxConnections = 0 }, func(c *config.Config) { c.MaxConnections = 1_000_001 }},
		"max-streams":                        {func(c *config.Config) { c.MaxStreams = 0 }, func(c *config.Config) { c.MaxStreams = 100_001 }},
		"max-deadline":                       {func(c *config.Config) { c.MaxDeadline = c.Upstream.Timeout - 1 }},
		"read-timeout":                       {func(c *config.Config) { c.ReadTimeout = 0 }},
		"write-timeout":                      {func(c *config.Config) { c.WriteTimeout = -1 }},
		"idle-timeout":                       {func(c *config.Config) { c.IdleTimeout = 0 }},
		"grpc-max-connection-age":            {func(c *config.Config) { c.MaxConnectionAge = -1 }},
		"upstream-max-attempts":              {func(c *config.Config) { c.Upstream.MaxAttempts = 0 }, func(c *config.Config) { c.Upstream.MaxAttempts = 11 }},
		"upstream-retry-budget": {
			func(c *config.Config) { c.Upstream.RetryBudget = 1.1 },
			func(c *config.Config) { c.Upstream.RetryBudget = -0.1 },
			func(c *config.Config) { c.Upstream.RetryBudget = math.NaN() },
		},
		"upstream-breaker-delay": {func(c *config.Config) { c.Upstream.BreakerDelay = -1 }},
		"upstream-max-in-flight": {func(c *config.Config) { c.Upstream.MaxInFlight = 1_000_001 }},
		"upstream-max-queue":     {func(c *config.Config) { c.Upstream.MaxQueue = 0 }, func(c *config.Config) { c.Upstream.MaxQueue = 1_000_001 }},
		"upstream-max-queue-bytes": {
			func(c *config.Config) { c.Upstream.MaxQueueBytes = 1<<10 - 1 },
			func(c *config.Config) { c.Upstream.MaxQueueBytes = 1<<40 + 1 },
		},
		"min-deadline":   {func(c *config.Config) { c.Upstream.MinDeadline = -1 }, func(c *config.Config) { c.Upstream.MinDeadline = c.Upstream.Timeout }},
		"audit-required": {func(c *config.Config) { c.Audit.Required = true }},
		"settle-doubts":  {func(c *config.Config) { c.Copies.SettleDoubts = "guess" }},
		"unresolved":     {func(c *config.Config) { c.Integration.Unresolved = "ignore" }},
		"contract-watch": {func(c *config.Config) { c.ContractWatch.Interval = -1 }, func(c *config.Config) { c.ContractWatch.Interval = time.Second }},
		"contract-url":   {func(c *config.Config) { c.ContractWatch.URL = "ftp://x" }, func(c *config.Config) { c.ContractWatch.URL = "https://u:hunter2@x" }},
		"drift":          {func(c *config.Config) { c.Upstream.Drift = "ignore" }},
		"upstream-ca-file": {
			func(c *config.Config) { c.Upstream.CAFile = "/nonexistent" },
			func(c *config.Config) { c.Upstream.CAFile = notPEM },
		},
		"upstream-client-cert-file": {func(c *config.Config) { c.Upstream.ClientKeyFile = "x" }},
		"upstream-client-key-file":  {func(c *config.Config) { c.Upstream.ClientCertFile = "x" }},
		"ledger": {
			func(c *config.Config) { c.Ledger.Spec = "postgre://u:hunter2@x/y" },
			func(c *config.Config) { c.Ledger.Spec = "postgres://u:hunter2@x/y" }, // without a key file
		},
		"ledger-retention": {
			func(c *config.Config) { c.Ledger.Retention = 9*time.Minute - 1 },
			func(c *config.Config) { c.Upstream.Timeout, c.MaxDeadline = 6*time.Hour, 6*time.Hour },
			func(c *config.Config) { c.Integration.Bulk.ItemTimeout = 6 * time.Hour },
		},
		"ledger-memory-records": {func(c *config.Config) { c.Ledger.MemoryRecords = 0 }, func(c *config.Config) { c.Ledger.MemoryRecords = 100_000_001 }},
		"bulk-concurrency":      {func(c *config.Config) { c.Integration.Bulk.Concurrency = 0 }, func(c *config.Config) { c.Integration.Bulk.Concurrency = 1_000_001 }},
		"bulk-max-items":        {func(c *config.Config) { c.Integration.Bulk.MaxItems = 0 }, func(c *config.Config) { c.Integration.Bulk.MaxItems = 10_000_001 }},
		"admin-hosts": {
			func(c *config.Config) { c.Admin.HostNames = "digate:9091" },
			func(c *config.Config) { c.Admin.HostNames = "http://digate" },
			func(c *config.Config) { c.Admin.HostNames = "*" },
			func(c *config.Config) { c.Admin.HostNames = "digate,," },
		},
		"cors-origins": {
			func(c *config.Config) { c.Gateway.CORSOrigins = "*" },
			func(c *config.Config) { c.Gateway.CORSOrigins = "https://*.example" },
			func(c *config.Config) { c.Gateway.CORSOrigins = "null" },
			func(c *config.Config) { c.Gateway.CORSOrigins = "app.example" },
			func(c *config.Config) { c.Gateway.CORSOrigins = "https://app.example/" },
			func(c *config.Config) { c.Gateway.CORSOrigins = "https://App.example" },
			func(c *config.Config) { c.Gateway.CORSOrigins = "https://bücher.example" },
			func(c *config.Config) { c.Gateway.CORSOrigins = "https://app.example:443" },
			func(c *config.Config) { c.Gateway.CORSOrigins = "https://app.example:" },
			func(c *config.Config) { c.Gateway.CORSOrigins = "https://u:hunter2@app.example" },
			func(c *config.Config) { c.Gateway.CORSOrigins = "https://app.example,," },
		},
		"bulk-rest-max-items": {func(c *config.Config) { c.Gateway.BulkMaxItems = 0 }, func(c *config.Config) { c.Gateway.BulkMaxItems = 1_000_001 }},
		"bulk-item-timeout":   {func(c *config.Config) { c.Integration.Bulk.ItemTimeout = 0 }},
		"bulk-stall-timeout":  {func(c *config.Config) { c.Integration.Bulk.StallTimeout = 0 }},
	}
	for _, attr := range config.Defaults().LogValue().Group() {
		flag := attr.Key
		switch always := slices.Contains(cannotBeWrong, flag); {
		case tests[flag] == nil && !always:
			t.Errorf("--%s has no wrong value here: add one to tests, and what refuses it to the Validate of its Settings; or, if no value is wrong, add the flag to cannotBeWrong", flag)
		case tests[flag] != nil && always:
			t.Errorf("--%s has wrong values in tests, and is one of cannotBeWrong", flag)
		}
		for i, change := range tests[flag] {
			c := config.Defaults()
			change(&c)
			err := c.Validate()
			if err == nil || !strings.HasPrefix(err.Error(), "--"+flag+": ") || strings.Contains(err.Error(), "\n") {
				t.Errorf("--%s, wrong value %d: got the error %v, want one line that begins with the flag", flag, i, err)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("--%s, case %d: the error quotes a credential: %v", flag, i, err)
			}
		}
	}
}

// A time that is computed from a setting must not be beyond what a duration holds, and so
// negative: a record would be gone as soon as it was made.
func TestValidate_TimeOfCenturies_IsRefused(t *testing.T) {
	t.Parallel()
	times := 0
	var each func(c *config.Config, settings reflect.Value)
	each = func(c *config.Config, settings reflect.Value) {
		for field, value := range settings.Fields() {
			if _, embedded := field.Tag.Lookup("embed"); embedded {
				each(c, value)
			}
			d, ok := reflect.TypeAssert[*time.Duration](value.Addr())
			if !ok {
				continue
			}
			times++
			before := *d
			*d = setting.Longest + 1
			if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "--"+field.Tag.Get("name")+": must be ") {
				t.Errorf("--%s=%v: %v", field.Tag.Get("name"), *d, err)
			}
			*d = before
		}
	}
	c := config.Defaults()
	each(&c, reflect.ValueOf(&c).Elem())
	if times == 0 {
		t.Error("no setting is a time")
	}
}

// callerID are valid settings of callers that a claim names.
func callerID() claim.Settings {
	return claim.Settings{Claim: "sub", Issuer: "https://idp.example", Audience: "diga", Keys: "https://idp.example/jwks.json", Algorithms: "ES256"}
}

func TestValidate_LeastAndMost_AreValid(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*config.Config){
		"least": func(c *config.Config) {
			c.MaxRequestBytes, c.Responses.MaxResponse, c.MaxHeaderBytes, c.Responses.MaxResponseHeader = 1<<10, 1<<10, 4<<10, 4<<10
			c.MaxConnections, c.MaxStreams, c.MaxDeadline, c.MaxConnectionAge = 1, 1, c.Upstream.Timeout, 0
			c.Upstream.MaxAttempts, c.Upstream.RetryBudget, c.Upstream.BreakerDelay, c.Upstream.MinDeadline = 1, 0, 0, 0
			c.Upstream.MaxInFlight, c.Upstream.MaxQueue, c.Upstream.MaxQueueBytes = 1, 1, 1<<10
			c.Ledger.Retention, c.Ledger.MemoryRecords = 5*time.Minute, 1 // four times a minute, and one
			c.Integration.Bulk.Concurrency, c.Integration.Bulk.MaxItems, c.Gateway.BulkMaxItems = 1, 1, 1
		},
		"most": func(c *config.Config) {
			c.MaxRequestBytes, c.Responses.MaxResponse, c.MaxHeaderBytes, c.Responses.MaxResponseHeader = 1<<30, 1<<30, 16<<20, 16<<20
			c.MaxConnections, c.MaxStreams = 1_000_000, 100_000
			c.Upstream.MaxAttempts, c.Upstream.RetryBudget, c.Upstream.MinDeadline = 10, 1, c.Upstream.Timeout-1
			c.Upstream.MaxInFlight, c.Upstream.MaxQueue, c.Upstream.MaxQueueBytes = 1_000_000, 1_000_000, 1<<40
			c.Ledger.MemoryRecords = 100_000_000
			c.Integration.Bulk.Concurrency, c.Integration.Bulk.MaxItems, c.Gateway.BulkMaxItems = 1_000_000, 10_000_000, 1_000_000
			c.Gateway.CORSOrigins = "https://app.example:8443, http://localhost, http://[::1]:3000"
		},
	} {
		c := config.Defaults()
		change(&c)
		if err := c.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestValidate_SeveralWrong_NamesAllOfThem(t *testing.T) {
	t.Parallel()
	c := config.Defaults()
	c.GRPCAddr, c.Upstream.URL = "x", "x"
	err := c.Validate()
	if err == nil || !strings.Contains(err.Error(), "--grpc-addr") || !strings.Contains(err.Error(), "--upstream-url") {
		t.Errorf("got %v", err)
	}
}

func TestConfig_EveryPrintingPath_HidesCredentials(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"https://user:hunter2@api.example", "https://user:hunter2@api.example:port"} {
		c := config.Defaults()
		c.Upstream.URL = url
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

// What a part prints of its own settings is as safe as the whole.
func TestConfig_SettingsOfOnePart_HideCredentials(t *testing.T) {
	t.Parallel()
	c := config.Defaults()
	c.Upstream.URL, c.Ledger.Spec = "https://user:hunter2@api.example", "postgres://user:hunter2@db.example/digate"
	var out bytes.Buffer
	fmt.Fprintf(&out, "%v %+v %#v %v %+v %#v", c.Upstream, c.Upstream, c.Upstream, c.Ledger, c.Ledger, c.Ledger)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("m", "upstream", c.Upstream, "ledger", c.Ledger)
	if text := out.String(); strings.Contains(text, "hunter2") || !strings.Contains(text, "db.example") || !strings.Contains(text, "api.example") {
		t.Errorf("got %s", text)
	}
}

// Defaults reads the tags, and so does the parser of the command line.
// A connection string may have the password in its query as well.
func TestConfig_PasswordInAQuery_IsHiddenAndTheRestIsShown(t *testing.T) {
	t.Parallel()
	c := config.Defaults()
	for spec, want := range map[string]string{
		"postgres://u@h/d?sslmode=disable&password=hunter2&sslpassword=hunter2": "postgres://redacted@h/d?password=redacted&sslmode=disable&sslpassword=redacted",
		"postgres://h/d?PASSWORD=hunter2":                                       "postgres://h/d?PASSWORD=redacted",
		"postgres://h/d?password=hunter2;x":                                     "[redacted]",
		"postgres://h/d?sslmode=disable":                                        "postgres://h/d?sslmode=disable",
		"sqlite:/var/passwords.db":                                              "sqlite:/var/passwords.db",
	} {
		c.Ledger.Spec = spec
		for _, s := range c.Effective(setting.Origins{"ledger": "digate.yaml:1"}) {
			if s.Name == "ledger" && (s.Value != want || s.From != "digate.yaml:1") {
				t.Errorf("%s: got %+v, want %s", spec, s, want)
			}
		}
		if strings.Contains(c.String()+fmt.Sprint(c.LogValue()), "hunter2") {
			t.Errorf("%s: got %s", spec, c)
		}
	}
}

func TestDefaults_AreThoseOfTheCommandLine(t *testing.T) {
	t.Parallel()
	var parsed config.Config
	parser, err := kong.New(&parsed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse(nil); err != nil {
		t.Fatal(err)
	}
	if defaults := config.Defaults(); defaults != parsed {
		t.Errorf("Defaults returns\n%v\nand the parser\n%v", defaults, parsed)
	}
}
