// Package upstream turns a gRPC call into Diga's REST request and Diga's
// response into the call's, driven by the method's google.api.http rule, with a
// verdict on what Diga did. A call takes one HTTP exchange; another follows only
// where the one before certainly did nothing, or changes nothing.
package upstream

import (
	"context"
	"crypto/x509"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/contract"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/secret"
	"github.com/digate/digate/server/upstream/admission"
	"github.com/digate/digate/server/upstream/wire"
)

// Config says where Diga is and how to talk to it.
type Config struct {
	// URL is Diga's base URL, http or https; a path in it is kept before
	// every route.
	URL string
	// Timeout bounds a call whose caller set no deadline. It is also how long the
	// circuit breaker waits for the response to its probe.
	Timeout time.Duration
	// MaxTimeout bounds every call, whatever deadline it has; 0 is no bound.
	MaxTimeout time.Duration
	// IdleTimeout is how long a connection is kept with nothing on it. It must
	// be shorter than Diga's, since a request that meets a closing
	// connection may or may not have arrived.
	IdleTimeout time.Duration
	// HTTP2 offers HTTP/2 over TLS.
	HTTP2 bool
	// Roots verifies Diga's certificate, the system's roots when nil.
	Roots *x509.CertPool
	// MaxRequest and MaxResponse bound a request's body, and a response's body as
	// received and as decoded, in bytes.
	MaxRequest, MaxResponse int64
	// MaxResponseHeader bounds a response's header section, in bytes.
	MaxResponseHeader int64
	// MinTime is the least time in which an exchange can be of use: a call with
	// less left is not begun.
	MinTime time.Duration
	// MaxAttempts bounds the exchanges of a call. RetryBudget is the share of
	// calls, from 0 to 1, that may be tried again.
	MaxAttempts int
	RetryBudget float64
	// BreakerDelay is how long an upstream that fails is left alone; 0 is never.
	BreakerDelay time.Duration
	// MinInFlight and MaxInFlight bound the limit of the exchanges under way,
	// which follows Diga's response times. MaxQueue bounds the calls that
	// wait for it; one caller may have as many as there are slots left.
	MinInFlight, MaxInFlight, MaxQueue int
	// Strict makes a read fail whose response departs from the contract.
	Strict bool
	// Observer may be nil.
	Observer Observer
	// UserAgent is sent with every request.
	UserAgent string
	// Credential returns the bearer token to send on behalf of a call.
	Credential func(context.Context) (secret.String, error)
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
	transport               *http.Transport
	conns                   *wire.Connections
	timeout, maxTimeout     time.Duration
	maxRequest, maxResponse int64
	userAgent               []string
	credential              func(context.Context) (secret.String, error)
	minTime                 time.Duration
	strict                  bool
	retry                   retryPolicy
	admission               *admission.Admission
}

// New returns a client for the contract's methods.
func New(cfg Config, methods *contract.Contract) (*Client, error) {
	base, err := url.Parse(cfg.URL)
	if err != nil {
		return nil, errors.New("upstream URL: is not a URL") // the parser's error quotes it
	}
	if base.Scheme != "http" && base.Scheme != "https" || base.Host == "" ||
		base.User != nil || base.RawQuery != "" || base.Fragment != "" {
		return nil, errors.New("upstream URL: must be http or https, with a host and perhaps a path, and nothing else")
	}
	// The one event of one part: a function is all that admission needs.
	var circuitChanged func(state string)
	if cfg.Observer != nil {
		circuitChanged = cfg.Observer.CircuitChanged
	}
	conns := new(wire.Connections)
	c := &Client{
		conns:    conns,
		scheme:   base.Scheme,
		host:     base.Host,
		basePath: strings.TrimRight(base.EscapedPath(), "/"),
		rules:    compile(methods),
		transport: wire.NewTransport(wire.Config{
			IdleTimeout: cfg.IdleTimeout, HTTP2: cfg.HTTP2, Roots: cfg.Roots, MaxResponseHeader: cfg.MaxResponseHeader,
		}, conns),
		timeout:     cfg.Timeout,
		maxTimeout:  cfg.MaxTimeout,
		maxRequest:  cfg.MaxRequest,
		maxResponse: cfg.MaxResponse,
		userAgent:   []string{cfg.UserAgent},
		credential:  cfg.Credential,
		minTime:     cfg.MinTime,
		strict:      cfg.Strict,
		retry:       retryPolicy{attempts: max(cfg.MaxAttempts, 1), budget: newRetryBudget(cfg.RetryBudget)},
		admission: admission.New(admission.Config{
			BreakerDelay: cfg.BreakerDelay, BreakerChanged: circuitChanged, ProbeTimeout: cfg.Timeout,
			MinInFlight: cfg.MinInFlight, MaxInFlight: cfg.MaxInFlight, MaxQueue: cfg.MaxQueue,
		}),
	}
	return c, nil
}

// Close drops the idle connections. Calls under way are not touched.
func (c *Client) Close() { c.transport.CloseIdleConnections() }

// Load is what keeps calls from the upstream, at this moment.
type Load struct {
	// InFlight is the exchanges under way, Limit their bound, Queued the calls
	// that wait.
	InFlight, Limit, Queued int
	// Circuit is closed, half-open or open.
	Circuit string
}

// Load returns the load.
func (c *Client) Load() Load {
	l := c.admission.Load()
	return Load{InFlight: l.InFlight, Limit: l.Limit, Queued: l.Queued, Circuit: l.Circuit}
}

// Cut ends every connection. Calls under way fail at once, each with its
// verdict.
func (c *Client) Cut() { c.conns.Cut() }

// Call is one call for [Client.Call].
type Call struct {
	// Method is a full gRPC name such as "/package.Service/Method".
	Method string
	// Request and Response are of the method's types. Response must be empty; it
	// is filled by a success and empty after a failure.
	Request, Response proto.Message
	// BeforeSend, if set, runs before every attempt: after admission, before any
	// byte is written. The call continues under the context it returns, retries
	// included, so a call can outlive its caller. If BeforeSend fails, nothing is
	// sent: the call ends with the verdict on the attempt before, or with that
	// error where there was none. At most as many calls are in BeforeSend as there
	// are exchanges under way. The time that it takes is not held against the
	// upstream and delays no call without a BeforeSend.
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
		ex.Cause = wire.Describe(cause, errResponseTooLarge, errCoding, errStale)
	} else if ex.Status/100 == 2 {
		ex.Cause = "the answer does not hold what was asked for"
	}
	return e
}
