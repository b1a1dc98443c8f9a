package upstream

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"time"

	"github.com/digate/digate/server/certs"
	"github.com/digate/digate/server/setting"
)

// Settings are the settings of calls to Diga.
type Settings struct {
	URL         string        `name:"upstream-url" group:"Diga:" default:"https://api.diga.io" help:"Base URL of Diga's API; it may have a path."`
	Timeout     time.Duration `name:"upstream-timeout" group:"Diga:" default:"30s" help:"Time limit of a call without a deadline."`
	IdleTimeout time.Duration `name:"upstream-idle-timeout" group:"Diga:" default:"4s" help:"How long an idle connection to Diga is kept. Set it below the idle timeout of the other side: a request on a connection that is being closed may or may not have arrived."`
	HTTP2       bool          `name:"upstream-http2" group:"Diga:" help:"Offer HTTP/2."`
	CAFile      string        `name:"upstream-ca-file" group:"Diga:" type:"path" placeholder:"FILE" help:"PEM file with the certificate authorities to trust, instead of the system's."`

	ClientCertFile string `name:"upstream-client-cert-file" group:"Diga:" type:"path" placeholder:"FILE" help:"PEM file with digate's client certificate, and its chain, for Diga or a proxy in front of it."`
	ClientKeyFile  string `name:"upstream-client-key-file" group:"Diga:" type:"path" placeholder:"FILE" help:"PEM file with that certificate's private key."`

	MaxAttempts   int           `name:"upstream-max-attempts" group:"Diga:" default:"3" help:"Maximum of requests for one call. digate repeats a request only if the previous one certainly did nothing, or is a read. 1 disables retries."`
	RetryBudget   float64       `name:"upstream-retry-budget" group:"Diga:" default:"0.1" help:"Share of calls, 0 to 1, that may be retried."`
	BreakerDelay  time.Duration `name:"upstream-breaker-delay" group:"Diga:" default:"5s" help:"How long the circuit breaker stays open after half of the requests within 10 s failed, by transport or 5xx. 0 disables it."`
	MaxInFlight   int           `name:"upstream-max-in-flight" group:"Diga:" default:"1000" help:"Maximum of requests in flight to Diga. The limit is lower while Diga is overloaded."`
	MaxQueue      int           `name:"upstream-max-queue" group:"Diga:" default:"10000" help:"Maximum of calls that wait because of that limit. Beyond it, a call of the caller with the most waiting calls is refused."`
	MaxQueueBytes int64         `name:"upstream-max-queue-bytes" group:"Diga:" default:"67108864" help:"Maximum bytes of the requests of these waiting calls."`
	MinDeadline   time.Duration `name:"min-deadline" group:"Diga:" default:"10ms" help:"Minimum time for a request to Diga. A call with less time left is refused, and nothing is sent."`
	TraceContext  bool          `name:"upstream-trace-context" group:"Diga:" help:"Send Diga a traceparent header with each request of a call that has a span."`
	Drift         string        `name:"drift" group:"Diga:" default:"log" enum:"log,fail" help:"What happens if a response of Diga deviates from its contract: log, or fail. With fail, which is for tests, reads fail."`
}

// The values of Settings.Drift, which decides what happens to a response that deviates
// from the contract.
const (
	// DriftLog logs the response's drift.
	DriftLog = "log"
	// DriftFail logs it and, for a read, makes the call fail.
	DriftFail = "fail"
)

// ResponseLimits are the maximum sizes of Diga's responses, in bytes.
type ResponseLimits struct {
	MaxResponse       int64 `name:"upstream-max-response-bytes" group:"Diga:" default:"8388608" help:"Maximum size of a response of Diga, in bytes, as sent and as decoded."`
	MaxResponseHeader int64 `name:"upstream-max-response-header-bytes" group:"Diga:" default:"65536" help:"Maximum size of the headers of a response of Diga, in bytes."`
}

// Validate adds a problem for each invalid setting.
func (s *Settings) Validate(p *setting.Problems) {
	if _, err := s.base(); err != nil {
		p.Addf("upstream-url", "%v", err)
	}
	p.Positive("upstream-timeout", s.Timeout)
	p.Positive("upstream-idle-timeout", s.IdleTimeout)
	switch {
	case s.ClientCertFile != "" && s.ClientKeyFile == "":
		p.Addf("upstream-client-key-file", "is missing: --upstream-client-cert-file needs its key")
	case s.ClientCertFile == "" && s.ClientKeyFile != "":
		p.Addf("upstream-client-cert-file", "is missing: --upstream-client-key-file is the key of a certificate")
	default:
		certs.Problem(p, s.Files())
	}
	p.Between("upstream-max-attempts", int64(s.MaxAttempts), 1, 10)
	if !(s.RetryBudget >= 0 && s.RetryBudget <= 1) {
		p.Addf("upstream-retry-budget", "must be between 0 and 1")
	}
	p.NotNegative("upstream-breaker-delay", s.BreakerDelay)
	p.Between("upstream-max-in-flight", int64(s.MaxInFlight), 1, 1_000_000)
	p.Between("upstream-max-queue", int64(s.MaxQueue), 1, 1_000_000)
	p.Between("upstream-max-queue-bytes", s.MaxQueueBytes, 1<<10, 1<<40)
	if s.MinDeadline < 0 || s.Timeout > 0 && s.MinDeadline >= s.Timeout {
		p.Addf("min-deadline", "must be 0 or more, and less than --upstream-timeout")
	}
	if s.Drift != DriftLog && s.Drift != DriftFail {
		p.Addf("drift", "must be log or fail")
	}
}

// Validate adds a problem for each invalid limit.
func (l *ResponseLimits) Validate(p *setting.Problems) {
	p.Between("upstream-max-response-bytes", l.MaxResponse, 1<<10, 1<<30)
	p.Between("upstream-max-response-header-bytes", l.MaxResponseHeader, 4<<10, 16<<20)
}

// base parses the URL. Its error does not quote the URL.
func (s *Settings) base() (*url.URL, error) {
	u, err := url.Parse(s.URL)
	switch {
	case err != nil:
		return nil, errors.New("is not a URL") // the parser's error quotes it
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("must begin with https:// or http://")
	case u.Host == "":
		return nil, errors.New("has no host")
	case u.User != nil:
		return nil, errors.New("must not hold a credential; callers bring their own")
	case u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("must not have a query or a fragment")
	default:
		return u, nil
	}
}

// Files returns the files of the authorities that verify Diga's certificate instead of
// the system's, and of the client certificate.
func (s *Settings) Files() certs.Files {
	return certs.Files{
		Certificate: certs.File{Flag: "upstream-client-cert-file", Path: s.ClientCertFile},
		Key:         certs.File{Flag: "upstream-client-key-file", Path: s.ClientKeyFile},
		Authorities: certs.File{Flag: "upstream-ca-file", Path: s.CAFile},
	}
}

// Format implements [fmt.Formatter]. No verb prints a credential in the URL.
func (s Settings) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, setting.String(s)) }

// LogValue implements [slog.LogValuer].
func (s Settings) LogValue() slog.Value { return setting.LogValue(s) }
