// Package upstream turns a gRPC call into the vendor's REST request and its
// answer into the response: one HTTP exchange a call, driven by the method's
// google.api.http rule, with a verdict on what the vendor did.
package upstream

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/secret"
)

// Config says where the vendor is and how to talk to it.
type Config struct {
	// URL is the vendor's base URL, http or https; a path in it is kept before
	// every route.
	URL string
	// Timeout bounds a call whose caller set no deadline.
	Timeout time.Duration
	// IdleTimeout is how long a connection is kept with nothing on it. It must
	// be shorter than the vendor's, since a request that meets a closing
	// connection may or may not have arrived.
	IdleTimeout time.Duration
	// HTTP2 offers HTTP/2 over TLS.
	HTTP2 bool
	// Roots verifies the vendor's certificate, the system's roots when nil.
	Roots *x509.CertPool
	// MaxRequest and MaxAnswer bound a request's body, and an answer's as sent
	// and as decoded, in bytes.
	MaxRequest, MaxAnswer int64
	// UserAgent is sent with every request.
	UserAgent string
	// Credential returns the bearer token to send on behalf of a call.
	Credential func(context.Context) (secret.String, error)
}

// Client sends calls to the vendor. It may be used by many goroutines.
type Client struct {
	scheme, host          string
	basePath              string // escaped, without a slash at the end
	rules                 map[string]*rule
	transport             *http.Transport
	conns                 *connections
	timeout               time.Duration
	maxRequest, maxAnswer int64
	userAgent             []string
	credential            func(context.Context) (secret.String, error)
}

// New returns a client for the methods of the services. A rule in their
// contract that it cannot follow is an error.
func New(cfg Config, services ...protoreflect.ServiceDescriptor) (*Client, error) {
	base, err := url.Parse(cfg.URL)
	if err != nil {
		return nil, errors.New("upstream URL: is not a URL") // the parser's error quotes it
	}
	if base.Scheme != "http" && base.Scheme != "https" || base.Host == "" ||
		base.User != nil || base.RawQuery != "" || base.Fragment != "" {
		return nil, errors.New("upstream URL: must be http or https, with a host and perhaps a path, and nothing else")
	}
	conns := new(connections)
	c := &Client{
		conns:      conns,
		scheme:     base.Scheme,
		host:       base.Host,
		basePath:   strings.TrimRight(base.EscapedPath(), "/"),
		rules:      make(map[string]*rule),
		transport:  newTransport(cfg.IdleTimeout, cfg.HTTP2, cfg.Roots, conns),
		timeout:    cfg.Timeout,
		maxRequest: cfg.MaxRequest,
		maxAnswer:  cfg.MaxAnswer,
		userAgent:  []string{cfg.UserAgent},
		credential: cfg.Credential,
	}
	for _, sd := range services {
		rules, err := compile(sd)
		if err != nil {
			return nil, err
		}
		for name, r := range rules {
			c.rules[name] = r
		}
	}
	return c, nil
}

// Close drops the idle connections. Calls under way are not touched.
func (c *Client) Close() { c.transport.CloseIdleConnections() }

// Cut ends every connection. Calls under way fail at once, each with its
// verdict.
func (c *Client) Cut() { c.conns.cut() }

// Call sends the request of the method, a full gRPC name such as
// "/package.Service/Method", and fills in the response, which must be empty and
// is so after a failure. What passed is recorded in the context's exchange. A
// failure is an [apierror.Error].
func (c *Client) Call(ctx context.Context, method string, req, resp proto.Message) error {
	ex := exchange.FromContext(ctx)
	if ex == nil {
		ex = new(exchange.Exchange)
	}
	err := c.call(ctx, ex, method, req, resp)
	if err == nil {
		ex.Outcome = exchange.Done
		return nil
	}
	proto.Reset(resp)
	var e *apierror.Error
	if !errors.As(err, &e) {
		e = apierror.Internal(err, exchange.NotSent)
	}
	ex.Outcome = e.Outcome
	ex.Relay = e.Relayable()
	if cause := e.Unwrap(); cause != nil {
		ex.Cause = describe(cause)
	} else if ex.Status/100 == 2 {
		ex.Cause = "the answer does not hold what was asked for"
	}
	return e
}

func (c *Client) call(ctx context.Context, ex *exchange.Exchange, method string, req, resp proto.Message) error {
	r := c.rules[method]
	if r == nil {
		return apierror.Internal(fmt.Errorf("no rule for %s", method), exchange.NotSent)
	}
	token, err := c.credential(ctx)
	if err != nil {
		return err
	}
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.timeout)
		defer cancel()
	}
	if err := ctx.Err(); err != nil {
		return apierror.NotBegun(err)
	}
	track := newTracker()
	httpReq, err := c.newRequest(httptrace.WithClientTrace(ctx, &track.trace), r, token.Reveal(), req)
	if err != nil {
		return err
	}

	ex.Attempts++
	began := time.Now()
	httpResp, err := c.transport.RoundTrip(httpReq)
	if err != nil {
		ex.Duration = time.Since(began)
		return noAnswer(ctx, r, err, track)
	}
	if track.stale() {
		ex.Duration = time.Since(began)
		_ = httpResp.Body.Close()
		return apierror.AnswerLost(errStale, r.write)
	}
	body, readErr := readBody(httpResp, c.maxAnswer)
	ex.Duration = time.Since(began)
	ex.Status, ex.Body = httpResp.StatusCode, body
	if httpResp.StatusCode/100 == 2 && r.decode(ex, body, readErr, resp) {
		return nil
	}
	return apierror.FromResponse(apierror.Response{
		Status: httpResp.StatusCode, Header: httpResp.Header, Body: body, ReadErr: cutShort(ctx, readErr),
	}, r.write, redactor(token.Reveal(), req))
}
