// Package upstream turns a gRPC call into Diga's REST request and Diga's
// response into the call's, driven by the method's google.api.http rule, with a
// verdict on what Diga did. A call takes one HTTP exchange; another follows only
// where the one before certainly did nothing, or changes nothing.
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

// Config is what a client needs.
type Config struct {
	Settings
	ResponseLimits
	// MaxTimeout bounds every call, whatever deadline it has; 0 is no bound.
	MaxTimeout time.Duration
	// Material verifies Diga's certificate, and is shown to Diga. Nil means the system's
	// authorities, and no certificate.
	Material *certs.Material
	// MaxRequest bounds a request's body, in bytes.
	MaxRequest int64
	// Observer may be nil.
	Observer Observer
	// UserAgent is sent with every request.
	UserAgent string
	// Credential returns what to call Diga with on behalf of a call.
	Credential func(context.Context) (Credential, error)
	// BeforeWrite, if set, runs once before a write is sent, by its full gRPC name and
	// its request, and before the write waits for its turn. If it fails, nothing is sent:
	// the write ends with that error, which is an [apierror.Error].
	BeforeWrite func(ctx context.Context, method string, request proto.Message) error
}

// Credential is what Diga is called with.
type Credential struct {
	// Token is the bearer token.
	Token secret.String
	// Account names whose token it is. Calls of one account are limited together. It is
	// never shown.
	Account string
	// Caller names who uses the account, empty where only one does. Calls of an account
	// are served in turn over its callers.
	Caller string
}

// Observer is told what happens to the circuit to Diga, outside of any call. It may
// be used by many goroutines, must not block and must not call the client.
type Observer interface {
	// CircuitChanged gets each new state: closed, half-open or open.
	CircuitChanged(state string)
}

// Client sends calls to Diga. It may be used by many goroutines.
type Client struct {
	scheme, host            string
	basePath                string // escaped, without a slash at the end
	rules                   map[string]*rule
	wire                    wire.Config
	direct                  atomic.Pointer[wire.Direct] // nil where all exchanges are the transport's
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
	hostname                string // of spans, with the port
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
	// The one event of one part: a function is all that admission needs.
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

// Use has new connections verify Diga's certificate with this, and show its own. Calls
// under way go on with the connections that they have.
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

// Close drops the idle connections. Calls under way are not touched.
func (c *Client) Close() {
	c.conns.Retire()
	c.transport.Load().CloseIdleConnections()
	c.direct.Load().Close()
}

// Load is what keeps calls from the upstream, at this moment.
type Load struct {
	admission.Load
	// Retries is what is left of the retry budget.
	Retries RetryLoad
	// Connections are those to the upstream.
	Connections wire.Load
}

// Load returns the load.
func (c *Client) Load() Load { return Load{c.admission.Load(), c.retry.budget.load(), c.conns.Load()} }

// Cut ends every connection. Calls under way fail at once, each with its
// verdict.
func (c *Client) Cut() { c.conns.Cut() }

// Call is one call for [Client.Call].
type Call struct {
	// Method is a full gRPC name such as "/package.Service/Method".
	Method string
	// Request and Response are of the method's types. Request must be valid by the
	// contract's rules. Response must be empty; it is filled by a success and empty
	// after a failure.
	Request, Response proto.Message
	// BeforeSend, if set, runs before every attempt: after admission, before any
	// byte is written. The call continues under the context it returns, retries
	// included, so a call can outlive its caller. If BeforeSend fails, nothing is
	// sent: the call ends with the verdict on the attempt before, or with that
	// error where there was none. At most as many calls are in BeforeSend as
	// exchanges may be under way. The time that it takes delays no call without a
	// BeforeSend.
	BeforeSend func() (context.Context, error)
}

// Call makes the call and records what passed in the context's exchange. A
// failure is an [apierror.Error].
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
