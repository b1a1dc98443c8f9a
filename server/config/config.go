// Package config is everything that can be set of a digate server: one struct,
// read from flags, environment and file, that says itself what is wrong with
// it and never prints a secret.
package config

import (
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"time"

	"github.com/alecthomas/kong"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/ledger"
)

// Config is the settings of a digate server. The tags are kong's: each field's
// flag, environment variable (DIGATE_ and the flag's name) and help stand with
// it.
type Config struct {
	GRPCAddr  string `name:"grpc-addr" group:"Addresses:" default:":9090" help:"The gRPC listener."`
	HTTPAddr  string `name:"http-addr" group:"Addresses:" default:":8080" help:"The REST listener."`
	AdminAddr string `name:"admin-addr" group:"Addresses:" default:"127.0.0.1:9091" help:"The admin listener: /metrics, /healthz, /readyz, /debug/pprof."`

	UpstreamURL         string        `name:"upstream-url" group:"Diga:" default:"https://api.diga.io" help:"Base URL of Diga's API; a path in it is kept."`
	UpstreamTimeout     time.Duration `name:"upstream-timeout" group:"Diga:" default:"30s" help:"Time for a call whose caller set no deadline."`
	UpstreamIdleTimeout time.Duration `name:"upstream-idle-timeout" group:"Diga:" default:"4s" help:"How long an idle connection is kept. Keep it below the other side's own: a request that meets a closing connection may or may not have arrived."`
	UpstreamHTTP2       bool          `name:"upstream-http2" group:"Diga:" help:"Offer HTTP/2."`
	UpstreamCAFile      string        `name:"upstream-ca-file" group:"Diga:" type:"path" placeholder:"FILE" help:"PEM file with the certificate authorities to trust, instead of the system's."`

	UpstreamMaxAttempts  int           `name:"upstream-max-attempts" group:"Diga:" default:"3" help:"Most requests for one call: another follows only where the one before did nothing for certain, or reads. 1 is never."`
	UpstreamRetryBudget  float64       `name:"upstream-retry-budget" group:"Diga:" default:"0.1" help:"Share of calls, 0 to 1, that may be tried again."`
	UpstreamBreakerDelay time.Duration `name:"upstream-breaker-delay" group:"Diga:" default:"5s" help:"How long Diga is left alone after half of the requests within 10 s failed, by transport or 5xx. 0 is never."`
	UpstreamMinInFlight  int           `name:"upstream-min-in-flight" group:"Diga:" default:"20" help:"Lower bound of the limit of requests under way, which follows Diga's answer times."`
	UpstreamMaxInFlight  int           `name:"upstream-max-in-flight" group:"Diga:" default:"1000" help:"Upper bound of that limit."`
	UpstreamMaxQueue     int           `name:"upstream-max-queue" group:"Diga:" default:"1000" help:"Calls that may wait for that limit; one caller may have as many as there are places left, which is half of them where it is alone. Further ones are refused at once."`
	MinDeadline          time.Duration `name:"min-deadline" group:"Diga:" default:"10ms" help:"A call with less time left is refused, and nothing is sent."`
	Drift                string        `name:"drift" group:"Diga:" default:"log" enum:"log,fail" help:"What happens where an answer of Diga's departs from its contract: log, or fail, which makes reads fail and is for tests."`

	Ledger              string        `name:"ledger" group:"Request ids:" default:"memory" placeholder:"STORE" help:"Where request ids are kept: memory (until the process ends), sqlite:PATH (one server), or postgres://USER@HOST/DATABASE (several)."`
	LedgerKeyFile       string        `name:"ledger-key-file" group:"Request ids:" type:"path" placeholder:"FILE" help:"File with the 32-byte key of the ledger's digests. For sqlite it is PATH.key unless given, and made where it is not there; for postgres all servers need the same one."`
	LedgerRetention     time.Duration `name:"ledger-retention" group:"Request ids:" default:"24h" help:"How long a request id is remembered after its copy was done, or is in doubt."`
	LedgerMemoryRecords int           `name:"ledger-memory-records" group:"Request ids:" default:"1000000" help:"Most copies with a request id that a ledger in memory remembers; further ones are refused until it forgets."`
	RequireRequestID    bool          `name:"require-request-id" group:"Request ids:" help:"Refuse copies without a request id."`

	BulkConcurrency  int           `name:"bulk-concurrency" group:"Bulk:" default:"16" help:"Copies of one stream under way at once."`
	BulkMaxItems     int           `name:"bulk-max-items" group:"Bulk:" default:"1000000" help:"Most copies of one gRPC stream."`
	BulkRESTMaxItems int           `name:"bulk-rest-max-items" group:"Bulk:" default:"1000" help:"Most copies of one REST request."`
	BulkItemTimeout  time.Duration `name:"bulk-item-timeout" group:"Bulk:" default:"60s" help:"Time for one copy of a stream."`
	BulkStallTimeout time.Duration `name:"bulk-stall-timeout" group:"Bulk:" default:"60s" help:"How long a stream may stand still: nothing asked for, nothing taken, nothing under way."`

	MaxRequestBytes  int64 `name:"max-request-bytes" group:"Limits:" default:"4194304" help:"Largest request on either side, in bytes."`
	MaxResponseBytes int64 `name:"max-response-bytes" group:"Limits:" default:"8388608" help:"Largest answer taken from Diga, in bytes, as sent and as decoded."`

	MaxHeaderBytes         int           `name:"max-header-bytes" group:"Limits:" default:"32768" help:"Largest metadata of a gRPC call, and header of a REST request, in bytes."`
	MaxResponseHeaderBytes int64         `name:"max-response-header-bytes" group:"Limits:" default:"65536" help:"Largest header of an answer of Diga's, in bytes."`
	MaxErrorBytes          int           `name:"max-error-bytes" group:"Limits:" default:"6144" help:"Largest error of a gRPC call, as encoded in its trailer, in bytes. Many clients take no more than 8192 of trailers."`
	MaxConnections         int           `name:"max-connections" group:"Limits:" default:"10000" help:"Connections on the gRPC and on the REST listener, each; further ones wait until another ends."`
	MaxStreams             uint32        `name:"max-streams" group:"Limits:" default:"1000" help:"Calls under way on one gRPC connection."`
	MaxDeadline            time.Duration `name:"max-deadline" group:"Limits:" default:"2m" help:"Longest time that a caller's deadline gives a call; a later one counts as this."`
	ReadTimeout            time.Duration `name:"read-timeout" group:"Limits:" default:"30s" help:"Time for a request to arrive."`
	WriteTimeout           time.Duration `name:"write-timeout" group:"Limits:" default:"15s" help:"Time for which a caller may take nothing of its answer."`
	IdleTimeout            time.Duration `name:"idle-timeout" group:"Limits:" default:"5m" help:"How long a caller's connection is kept with nothing on it."`
	MaxConnectionAge       time.Duration `name:"grpc-max-connection-age" group:"Limits:" default:"0s" help:"After this time a gRPC connection takes no further calls, and ends when those that it has are done; 0 is never. It spreads callers over replicas behind a TCP balancer."`

	ShutdownTimeout time.Duration `name:"shutdown-timeout" group:"Limits:" default:"45s" help:"Time for calls under way to end after SIGTERM, before they are cut."`
	LogLevel        slog.Level    `name:"log-level" default:"INFO" help:"DEBUG, INFO, WARN or ERROR."`
}

// DriftFail is the value of Drift that makes reads fail.
const DriftFail = "fail"

// LongestCall is how long a server may be at one copy at most.
func (c *Config) LongestCall() time.Duration {
	return max(c.UpstreamTimeout, c.MaxDeadline, c.BulkItemTimeout)
}

// Validate returns an error that names every setting that is wrong, by its
// flag, and says what it has to be.
func (c *Config) Validate() error {
	var errs []error
	wrong := func(flag, format string, args ...any) {
		errs = append(errs, fmt.Errorf("--%s: %s", flag, fmt.Sprintf(format, args...)))
	}
	for flag, addr := range map[string]string{"grpc-addr": c.GRPCAddr, "http-addr": c.HTTPAddr, "admin-addr": c.AdminAddr} {
		if _, _, err := net.SplitHostPort(addr); err != nil {
			wrong(flag, "must be HOST:PORT or :PORT")
		}
	}
	if u, err := url.Parse(c.UpstreamURL); err != nil {
		wrong("upstream-url", "is not a URL") // the parser's error quotes it
	} else {
		switch {
		case u.Scheme != "http" && u.Scheme != "https":
			wrong("upstream-url", "must begin with https:// or http://")
		case u.Host == "":
			wrong("upstream-url", "has no host")
		case u.User != nil:
			wrong("upstream-url", "must not hold a credential; callers bring their own")
		case u.RawQuery != "" || u.Fragment != "":
			wrong("upstream-url", "must not have a query or a fragment")
		}
	}
	for flag, d := range map[string]time.Duration{
		"max-deadline": c.MaxDeadline, "bulk-item-timeout": c.BulkItemTimeout, "bulk-stall-timeout": c.BulkStallTimeout,
		"read-timeout": c.ReadTimeout, "write-timeout": c.WriteTimeout, "idle-timeout": c.IdleTimeout,
		"upstream-timeout": c.UpstreamTimeout, "upstream-idle-timeout": c.UpstreamIdleTimeout, "shutdown-timeout": c.ShutdownTimeout,
	} {
		if d <= 0 {
			wrong(flag, "must be more than 0")
		}
	}
	for flag, n := range map[string]int64{"max-request-bytes": c.MaxRequestBytes, "max-response-bytes": c.MaxResponseBytes} {
		if n < 1<<10 || n > 1<<30 {
			wrong(flag, "must be between 1024 and 1073741824")
		}
	}
	for flag, n := range map[string]int64{"max-header-bytes": int64(c.MaxHeaderBytes), "max-response-header-bytes": c.MaxResponseHeaderBytes} {
		if n < 4<<10 || n > 16<<20 {
			wrong(flag, "must be between 4096 and 16777216")
		}
	}
	if n := c.MaxErrorBytes; n < apierror.MinStatusBytes || n > apierror.MaxStatusBytes {
		wrong("max-error-bytes", "must be between %d and %d", apierror.MinStatusBytes, apierror.MaxStatusBytes)
	}
	if n := c.MaxConnections; n < 1 || n > 1_000_000 {
		wrong("max-connections", "must be between 1 and 1000000")
	}
	if n := c.MaxStreams; n < 1 || n > 100_000 {
		wrong("max-streams", "must be between 1 and 100000")
	}
	if c.MaxConnectionAge < 0 {
		wrong("grpc-max-connection-age", "must be 0 or more")
	}
	if n := c.UpstreamMaxAttempts; n < 1 || n > 10 {
		wrong("upstream-max-attempts", "must be between 1 and 10")
	}
	if r := c.UpstreamRetryBudget; !(r >= 0 && r <= 1) {
		wrong("upstream-retry-budget", "must be between 0 and 1")
	}
	if c.UpstreamBreakerDelay < 0 {
		wrong("upstream-breaker-delay", "must be 0 or more")
	}
	for flag, n := range map[string]int{
		"upstream-min-in-flight": c.UpstreamMinInFlight, "upstream-max-in-flight": c.UpstreamMaxInFlight, "upstream-max-queue": c.UpstreamMaxQueue,
		"bulk-concurrency": c.BulkConcurrency, "bulk-rest-max-items": c.BulkRESTMaxItems,
	} {
		if n < 1 || n > 1_000_000 {
			wrong(flag, "must be between 1 and 1000000")
		}
	}
	if n := c.LedgerMemoryRecords; n < 1 || n > 100_000_000 {
		wrong("ledger-memory-records", "must be between 1 and 100000000")
	}
	if n := c.BulkMaxItems; n < 1 || n > 10_000_000 {
		wrong("bulk-max-items", "must be between 1 and 10000000")
	}
	if _, err := ledger.ParseSpec(c.Ledger, c.LedgerKeyFile); err != nil {
		wrong("ledger", "%v", err)
	}
	if c.UpstreamMinInFlight > c.UpstreamMaxInFlight {
		wrong("upstream-min-in-flight", "must not be more than --upstream-max-in-flight")
	}
	// A record must outlive whoever may still be sending its copy.
	if least := 4*c.LongestCall() + time.Minute; c.LedgerRetention < least {
		wrong("ledger-retention", "must be %v or more, with the longest call at %v (--upstream-timeout, --max-deadline, --bulk-item-timeout)", least, c.LongestCall())
	}
	if c.MaxDeadline < c.UpstreamTimeout {
		wrong("max-deadline", "must not be less than --upstream-timeout")
	}
	if c.MinDeadline < 0 || c.UpstreamTimeout > 0 && c.MinDeadline >= c.UpstreamTimeout {
		wrong("min-deadline", "must be 0 or more, and less than --upstream-timeout")
	}
	if c.Drift != "log" && c.Drift != DriftFail {
		wrong("drift", "must be log or fail")
	}
	if c.UpstreamCAFile != "" {
		if _, err := c.Roots(); err != nil {
			wrong("upstream-ca-file", "%v", err)
		}
	}
	return errors.Join(sorted(errs)...)
}

// Roots returns the authorities that the vendor's certificate is checked
// against, nil for the system's.
func (c *Config) Roots() (*x509.CertPool, error) {
	if c.UpstreamCAFile == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(c.UpstreamCAFile)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New("there is no certificate in the file")
	}
	return pool, nil
}

// Defaults returns the settings that nothing was said about.
func Defaults() (Config, error) {
	var c Config
	parser, err := kong.New(&c)
	if err != nil {
		return Config{}, err
	}
	_, err = parser.Parse(nil)
	return c, err
}
