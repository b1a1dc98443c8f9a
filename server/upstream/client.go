// Package upstream sends gRPC calls to Diga as REST requests. It builds the request from
// the method's google.api.http rule, reads the response, and concludes whether Diga
// performed the operation. A call normally makes one HTTP exchange. It makes another only
// if the previous one certainly had no effect, or for a read.
package upstream

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/certs"
	"github.com/digate/digate/server/contract"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/secret"
	"github.com/digate/digate/server/upstream/admission"
	"github.com/digate/digate/server/upstream/wire"
)

// Config is the configuration of a client.
type Config struct {
	Settings
	ResponseLimits
	// MaxTimeout limits every call, whatever its deadline. 0 means no limit.
	MaxTimeout time.Duration
	// Material verifies Diga's certificate and has the client's own. Nil means the
	// system's authorities and no client certificate.
	Material *certs.Material
	// MaxRequest is the maximum size of a request's body, in bytes.
	MaxRequest int64
	// Observer may be nil.
	Observer Observer
	// UserAgent is sent with every request.
	UserAgent string
	// Credential returns the credential for the requests to Diga of a call.
	Credential func(context.Context) (Credential, error)
	// BeforeWrite, if set, runs once before a write is sent and before it waits for
	// admission. It gets the full gRPC name and the request. If it fails, nothing is
	// sent, and the write fails with its error, which must be an [apierror.Error].
	BeforeWrite func(ctx context.Context, method string, request proto.Message) error
}

// Credential authenticates requests to Diga.
type Credential struct {
	// Token is the bearer token.
	Token secret.String
	// Account identifies the account that the token belongs to. Calls of one account
	// share a limit. It is never shown.
	Account string
	// Caller identifies the user of the account. It is empty if the account has only one.
	// Waiting calls of an account are served fairly over its callers.
	Caller string
}

// Observer is told about changes of the circuit breaker. It must be safe for concurrent
// use, must not block and must not call the client.
type Observer interface {
	// CircuitChanged is called with each new state: closed, half-open or open.
	CircuitChanged(state string)
}

// Client sends calls to Diga. It is safe for concurrent use.
type Client struct {
	scheme, host            string
	basePath                string // escaped, without a trailing slash
	rules                   map[string]*rule
	wire                    wire.Config
	direct                  atomic.Pointer[wire.Direct] // nil if the transport makes all exchanges
	transport               atomic.Pointer[http.Transport]
	conns                   *wire.Connections
	timeout, maxTimeout     time.Duration
	maxRequest, maxResponse int64
	userAgent               string
	credential              func(context.Context) (Credential, error)
	beforeWrite             func(context.Context, string, proto.Message) error
	minTime                 time.Duration
	strict                  bool
	traceContext            bool
	hostname                string // for spans, with the port
	port                    int
	retry                   retryPolicy
	admission               *admission.Admission
}

// New returns a client for the contract's methods.
func New(cfg Config, methods *contract.Contract) (*Client, error) {
	base, err := cfg.base()
	if err != nil {
		return nil, fmt.Errorf("the upstream's URL %w", err)
	}
	proxy, err := wire.Proxy(base)
	if err != nil {
		return nil, err
	}
	// Package admission takes a function because it reports only this event.
	var circuitChanged func(state string)
	if cfg.Observer != nil {
		circuitChanged = cfg.Observer.CircuitChanged
	}
	c := &Client{
		scheme:   base.Scheme,
		host:     base.Host,
		basePath: strings.TrimRight(base.EscapedPath(), "/"),
		rules:    compile(methods),
		wire: wire.Config{
			IdleTimeout: cfg.IdleTimeout, HTTP2: cfg.HTTP2, Proxy: proxy, MaxResponseHeader: cfg.MaxResponseHeader,
		},
		conns:        new(wire.Connections),
		timeout:      cfg.Timeout,
		maxTimeout:   cfg.MaxTimeout,
		maxRequest:   cfg.MaxRequest,
		maxResponse:  cfg.MaxResponse,
		userAgent:    cfg.UserAgent,
		credential:   cfg.Credential,
		beforeWrite:  cfg.BeforeWrite,
		minTime:      cfg.MinDeadline,
		strict:       cfg.Drift == DriftFail,
		retry:        retryPolicy{attempts: max(cfg.MaxAttempts, 1), budget: newRetryBudget(cfg.RetryBudget)},
		traceContext: cfg.TraceContext,
		hostname:     base.Hostname(),
		port:         port(base),
		admission: admission.New(admission.Config{
			BreakerDelay: cfg.BreakerDelay, BreakerChanged: circuitChanged, ProbeTimeout: cfg.Timeout,
			MaxInFlight: cfg.MaxInFlight, MaxQueue: cfg.MaxQueue, MaxQueueBytes: cfg.MaxQueueBytes,
		}),
	}
	c.Use(cmp.Or(cfg.Material, new(certs.Material)))
	return c, nil
}

// port returns the port of a URL.
func port(u *url.URL) int {
	if n, err := strconv.Atoi(u.Port()); err == nil {
		return n
	}
	if u.Scheme == "https" {
		return 443
	}
	return 80
}

// Use sets the certificates for new connections: those that verify Diga's, and the
// client's own. Calls in progress keep their connections.
func (c *Client) Use(m *certs.Material) {
	config := c.wire
	config.TLS = m.ClientConfig()
	config.TLS.ClientSessionCache = tls.NewLRUClientSessionCache(64)
	c.conns.Retire()
	if before := c.transport.Swap(wire.NewTransport(config, c.conns)); before != nil {
		before.CloseIdleConnections()
	}
	c.direct.Swap(wire.NewDirect(config, &url.URL{Scheme: c.scheme, Host: c.host}, c.conns)).Close()
}

// Close closes the idle connections. Calls in progress are not affected.
func (c *Client) Close() {
	c.conns.Retire()
	c.transport.Load().CloseIdleConnections()
	c.direct.Load().Close()
}

// Load is the current state of everything that can delay or refuse calls to Diga.
type Load struct {
	admission.Load
	// Retries is the retry budget.
	Retries RetryLoad
	// Connections are the connections to Diga.
	Connections wire.Load
}

// Load returns the current load.
func (c *Client) Load() Load { return Load{c.admission.Load(), c.retry.budget.load(), c.conns.Load()} }

// Cut closes all connections. Calls in progress fail at once, each with its outcome.
func (c *Client) Cut() { c.conns.Cut() }

// Call is an argument of [Client.Call].
type Call struct {
	// Method is the full gRPC name, such as "/package.Service/Method".
	Method string
	// Request and Response are messages of the method's types. Request must be valid by
	// the contract's rules. Response must be empty. It is filled if the call succeeds,
	// and stays empty if it fails.
	Request, Response proto.Message
	// BeforeSend, if set, runs before every attempt: after admission, and before any byte
	// is written. The call continues, retries included, under the context that it
	// returns, so the call can outlive its caller. If BeforeSend fails, nothing is sent,
	// and the call fails with the error of the previous attempt or, if there was none,
	// with that of BeforeSend. The number of calls in BeforeSend is limited to the number
	// of concurrent exchanges. The time that it takes does not delay calls without a
	// BeforeSend.
	BeforeSend func() (context.Context, error)
}

// Call makes the call and records it in the context's exchange. Its error is an
// [apierror.Error].
func (c *Client) Call(ctx context.Context, spec Call) error {
	ex := exchange.FromContext(ctx)
	if ex == nil {
		ex = new(exchange.Exchange)
	}
	call, err := c.newCall(ctx, ex, spec)
	if err == nil {
		err = call.run(ctx)
	}
	if err == nil {
		ex.Outcome = exchange.Done
		return nil
	}
	proto.Reset(spec.Response)
	var e *apierror.Error
	if !errors.As(err, &e) {
		e = apierror.Internal(err, exchange.NotSent)
	}
	ex.Outcome = e.Outcome
	ex.Relay = e.Relayable()
	if cause := e.Unwrap(); cause != nil {
		ex.Cause = wire.Describe(cause, ErrResponseTooLarge, errBrokenCoding, errUnknownCoding, errStale)
	} else if ex.Status/100 == 2 {
		ex.Cause = "the response does not hold what was asked for"
	}
	return e
}
