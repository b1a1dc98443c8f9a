package telemetry

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/digate/digate/server/accounts"
	"github.com/digate/digate/server/authn/jwt"
)

// accountsMetrics are the metrics of the file of accounts and its callers.
type accountsMetrics struct {
	reloads *prometheus.CounterVec
	calls   *prometheus.CounterVec
}

// AccountsState returns the state of the file of accounts.
type AccountsState interface {
	Status() accounts.Status
}

// IssuersState returns the state of the issuers of tokens.
type IssuersState interface {
	// Failing returns the names of the issuers whose keys cannot be read.
	Failing() []string
	// KeysRead returns when the keys of each issuer were last read, by the issuer's name.
	// The time is zero if they were never read.
	KeysRead() map[string]time.Time
}

// newAccountsMetrics returns the metrics. It does not register them.
func newAccountsMetrics() accountsMetrics {
	m := accountsMetrics{
		reloads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "digate_accounts_reloads_total", Help: "Versions of the accounts file that were loaded or refused, including the first one.",
		}, []string{"result"}),
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "digate_caller_calls_total", Help: "Calls ended, by the names in the accounts file.",
		}, []string{"account", "caller", "code"}),
	}
	m.reloads.WithLabelValues(resultTaken)
	m.reloads.WithLabelValues(resultRefused)
	return m
}

const (
	resultTaken   = "taken"
	resultRefused = "refused"
)

// WatchAccounts adds the state of the file of accounts to the metrics, and the names of
// callers and accounts to metrics and log lines. It may be called once, before the first
// call.
func (t *Telemetry) WatchAccounts(file AccountsState) {
	t.named = true
	t.registry.MustRegister(t.accounts.reloads, t.accounts.calls, accountsCollector{file})
}

// WatchIssuers adds the state of the issuers of tokens to the metrics. It may be called
// once.
func (t *Telemetry) WatchIssuers(issuers IssuersState) {
	t.registry.MustRegister(issuersCollector{issuers})
}

var (
	keysRefused = newDesc("issuer_keys_refused", "Token issuers whose keys cannot be read; the previous keys, if any, stay in use.")
	keysRead    = newDesc("issuer_keys_read_timestamp_seconds", "When the keys of a token issuer were last read; 0 if never.", "issuer")
)

// issuersCollector reads the state of the issuers of tokens at each scrape.
type issuersCollector struct{ issuers IssuersState }

// Describe implements [prometheus.Collector].
func (issuersCollector) Describe(to chan<- *prometheus.Desc) { to <- keysRefused; to <- keysRead }

// Collect implements [prometheus.Collector].
func (c issuersCollector) Collect(to chan<- prometheus.Metric) {
	to <- prometheus.MustNewConstMetric(keysRefused, prometheus.GaugeValue, float64(len(c.issuers.Failing())))
	for issuer, at := range c.issuers.KeysRead() {
		seconds := 0.0
		if !at.IsZero() {
			seconds = float64(at.UnixMilli()) / 1000
		}
		to <- prometheus.MustNewConstMetric(keysRead, prometheus.GaugeValue, seconds, issuer)
	}
}

// AccountsLoaded counts and logs that a new version of the file of accounts is in use.
func (t *Telemetry) AccountsLoaded(s accounts.Status) {
	t.accounts.reloads.WithLabelValues(resultTaken).Inc()
	t.log.LogAttrs(context.Background(), slog.LevelInfo, "the file of accounts is in force",
		slog.String("hash", s.Hash), slog.Int("accounts", s.Accounts), slog.Int("callers", s.Callers), slog.Int("issuers", s.Issuers))
}

// AccountsRefused counts and logs that the file of accounts cannot be used.
func (t *Telemetry) AccountsRefused(err error) {
	t.accounts.reloads.WithLabelValues(resultRefused).Inc()
	t.log.LogAttrs(context.Background(), slog.LevelError, "the file of accounts cannot be used, and the one before stays in force", slog.String("error", err.Error()))
}

// AccountTokenRead logs that the token of an account has changed.
func (t *Telemetry) AccountTokenRead(account string) {
	t.log.LogAttrs(context.Background(), slog.LevelInfo, "the token of an account was replaced", slog.String("account", account))
}

// AccountTokenRefused logs that the token of an account cannot be read.
func (t *Telemetry) AccountTokenRefused(account string, err error) {
	t.log.LogAttrs(context.Background(), slog.LevelError, "the token of an account cannot be read, and the one before stays in force",
		slog.String("account", account), slog.String("error", err.Error()))
}

// IssuerKeys logs that the keys of an issuer cannot be read or, if the error is nil, that
// they were read after a failure.
func (t *Telemetry) IssuerKeys(issuer string, err error) {
	if err != nil {
		text := "the keys of an issuer cannot be read, and those before stay in force"
		if _, never := errors.AsType[*jwt.NoKeysError](err); never {
			text = "the keys of an issuer cannot be read, and until they are, nobody can authenticate with its tokens"
		}
		t.log.LogAttrs(context.Background(), slog.LevelError, text,
			slog.String("issuer", issuer), slog.String("error", brief(err.Error())))
		return
	}
	t.log.LogAttrs(context.Background(), slog.LevelInfo, "the keys of an issuer were read after a failure", slog.String("issuer", issuer))
}

var (
	accountsInfo    = newDesc("accounts_file_info", "1, with the SHA-256 of the accounts file in use.", "hash")
	accountsLoaded  = newDesc("accounts_loaded_timestamp_seconds", "When the accounts file in use was loaded.")
	accountsRefused = newDesc("accounts_refused", "1 while the accounts file is invalid and the previous version is in use.")
	tokensRefused   = newDesc("account_tokens_refused", "Accounts whose token cannot be read; the previous token stays in use.")
)

// accountsCollector reads the state of the file of accounts at each scrape.
type accountsCollector struct{ file AccountsState }

// Describe implements [prometheus.Collector].
func (accountsCollector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{accountsInfo, accountsLoaded, accountsRefused, tokensRefused} {
		to <- d
	}
}

// Collect implements [prometheus.Collector].
func (c accountsCollector) Collect(to chan<- prometheus.Metric) {
	s := c.file.Status()
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	refused := 0.0
	if s.Refused {
		refused = 1
	}
	gauge(accountsInfo, 1, s.Hash)
	gauge(accountsLoaded, float64(s.Loaded.UnixMilli())/1000)
	gauge(accountsRefused, refused)
	gauge(tokensRefused, float64(s.TokensRefused))
}
