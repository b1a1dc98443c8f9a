// Package config combines the settings of a digate server. Each part of the server owns
// its settings. A validation error names the flag of the setting, and printing the
// settings never shows a credential.
package config

import (
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/digate/digate/server/audit"
	"github.com/digate/digate/server/certs"
	"github.com/digate/digate/server/contractwatch"
	"github.com/digate/digate/server/copies"
	"github.com/digate/digate/server/gateway"
	"github.com/digate/digate/server/integration"
	"github.com/digate/digate/server/ledger"
	"github.com/digate/digate/server/setting"
	"github.com/digate/digate/server/upstream"
)

// Config are the settings of a digate server, in the form that package [setting]
// describes. A setting --foo-bar is also the environment variable DIGATE_FOO_BAR.
type Config struct {
	Addresses     `embed:""`
	Admin         Admin          `embed:""`
	TLS           certs.Settings `embed:""`
	Access        `embed:""`
	Upstream      upstream.Settings       `embed:""`
	Ledger        ledger.Settings         `embed:""`
	Copies        copies.Settings         `embed:""`
	Integration   integration.Settings    `embed:""`
	Gateway       gateway.Settings        `embed:""`
	Responses     upstream.ResponseLimits `embed:""`
	ContractWatch contractwatch.Settings  `embed:""`
	Audit         audit.Settings          `embed:""`
	Limits        `embed:""`

	LogLevel slog.Level `name:"log-level" default:"INFO" help:"DEBUG, INFO, WARN or ERROR."`
}

// Defaults returns the default settings.
func Defaults() Config {
	var c Config
	setting.SetDefaults(&c)
	return c
}

// LongestCall returns the maximum time that a server may take for one copy.
func (c *Config) LongestCall() time.Duration {
	return max(c.Upstream.Timeout, c.MaxDeadline, c.Integration.Bulk.ItemTimeout)
}

// Validate returns an error that lists every invalid setting, with its flag and the
// values that it may have.
func (c *Config) Validate() error {
	var p setting.Problems
	c.Addresses.validate(&p)
	c.Admin.validate(&p)
	c.TLS.Validate(&p)
	c.Access.validate(&p)
	c.Upstream.Validate(&p)
	c.Ledger.Validate(&p, c.LongestCall())
	c.Copies.Validate(&p)
	c.Integration.Validate(&p)
	c.Gateway.Validate(&p)
	c.Responses.Validate(&p)
	c.ContractWatch.Validate(&p)
	c.Audit.Validate(&p)
	c.Limits.validate(&p)
	if c.MaxDeadline < c.Upstream.Timeout {
		p.Addf("max-deadline", "must not be less than --upstream-timeout")
	}
	return p.Err()
}

// String lists the settings, one `flag=value` each.
func (c Config) String() string { return setting.String(c) }

// Format implements [fmt.Formatter], so that every verb prints the same as String.
func (c Config) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.String()) }

// Effective lists the settings in use, with where each was set. No value shows a
// credential.
func (c Config) Effective(origins setting.Origins) []setting.Effective {
	return setting.EffectiveOf(c, origins)
}

// LogValue implements [slog.LogValuer].
func (c Config) LogValue() slog.Value { return setting.LogValue(c) }
