// Package web serves the gRPC services over Connect and gRPC-Web on the REST listener,
// for web pages and for clients without HTTP/2. connect-go implements the two protocols.
// This package passes each call to its service through a channel inside the process,
// where it is received within the same limits as a gRPC call.
//
// connect-go passes the messages of callers on as bytes. This package refuses the
// requests that connect-go would refuse without an outcome before connect-go sees them:
// see [verify] and [body].
package web

import (
	"context"
	"net/http"
	"strings"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/grpc"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/authn"
	"github.com/digate/digate/server/budget"
	"github.com/digate/digate/server/contract"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/inproc"
)

// Channel calls the services.
type Channel interface {
	grpc.ServiceRegistrar
	Carry(ctx context.Context, method string, from inproc.Arrival, ss grpc.ServerStream) error
}

// Observer observes every request. It must be safe for concurrent use.
type Observer interface {
	Start(ctx context.Context, op exchange.Operation) (_ context.Context, end func(*exchange.Exchange, error))
}

// Config is the configuration of a [Handler].
type Config struct {
	// Channel calls the services, which receive their messages from an [inproc.Arrival].
	Channel Channel
	// Authenticator authenticates callers, before any part of a message is read.
	Authenticator authn.Authenticator
	// Bound returns the context of a call with the server's limit on its duration.
	Bound func(ctx context.Context, method string) context.Context
	// Memory returns the share of the server's memory that a request may use.
	Memory func(context.Context) budget.Share
	// MaxMessage is the maximum size of a message, in bytes.
	MaxMessage int64
	// ReadTimeout is how long a request may take to arrive. It does not apply to streams
	// of messages.
	ReadTimeout time.Duration
	// Stall is how long a caller may read nothing while a response is written.
	Stall    time.Duration
	Observer Observer
	// Next serves all requests that are not calls.
	Next http.Handler
}

// Handler serves the calls of its registered services. All services must be registered
// before the first request.
type Handler struct {
	Config
	methods  map[string]*method // by path, which is the full gRPC name
	services map[string]bool    // by "/package.Service/"
	refusal  *connect.ErrorWriter
	calls    http.Handler // authenticates first
}

var _ grpc.ServiceRegistrar = (*Handler)(nil)

// New returns a handler without services.
func New(cfg Config) *Handler {
	h := &Handler{Config: cfg, methods: make(map[string]*method), services: make(map[string]bool), refusal: connect.NewErrorWriter()}
	h.calls = authn.Middleware(cfg.Authenticator, http.HandlerFunc(h.serve), h.refuse)
	return h
}

// RegisterService implements [grpc.ServiceRegistrar].
func (h *Handler) RegisterService(desc *grpc.ServiceDesc, impl any) {
	h.Channel.RegisterService(desc, impl)
	prefix := "/" + desc.ServiceName + "/"
	h.services[prefix] = true
	for _, m := range desc.Methods {
		h.methods[prefix+m.MethodName] = h.newMethod(prefix+m.MethodName, connect.StreamTypeUnary)
	}
	for _, s := range desc.Streams {
		var kind connect.StreamType
		if s.ClientStreams {
			kind |= connect.StreamTypeClient
		}
		if s.ServerStreams {
			kind |= connect.StreamTypeServer
		}
		h.methods[prefix+s.StreamName] = h.newMethod(prefix+s.StreamName, kind)
	}
}

// allow is the value of the Allow header for a method's path. Connect's GET is not
// supported: a request may contain secrets, which do not belong in a URL.
const allow = "POST, OPTIONS"

// Has reports whether the path is that of a method.
func (h *Handler) Has(path string) bool { return h.methods[path] != nil }

// ServeHTTP implements [http.Handler].
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	known := h.methods[r.URL.Path] != nil || h.services[r.URL.Path[:strings.LastIndexByte(r.URL.Path, '/')+1]]
	if !known || isGRPC(r) {
		h.Next.ServeHTTP(w, r)
		return
	}
	h.calls.ServeHTTP(w, r)
}

// serve serves an authenticated request.
func (h *Handler) serve(w http.ResponseWriter, r *http.Request) {
	m := h.methods[r.URL.Path]
	p := protocolOf(r)
	ctx, end := h.Observer.Start(r.Context(), exchange.Operation{Kind: exchange.RESTRequest, Method: m.fullName(), Protocol: p.name})
	var err error
	defer func() { end(exchange.FromContext(ctx), err) }() // also after a panic
	if m != nil && r.Method == http.MethodOptions {
		w.Header().Set("Allow", allow)
		w.WriteHeader(http.StatusNoContent)
		return
	}
	timeout, refused := verify(m, p, r)
	if refused != nil {
		err = refused
		h.write(w, r, p, refused)
		return
	}
	ctx, cancel := withTimeout(ctx, timeout)
	defer cancel()
	err = h.call(h.Bound(ctx, m.name), w, r, m, p)
}

// refuse responds to a request whose authentication failed.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, err error) {
	p := protocolOf(r)
	_, end := h.Observer.Start(r.Context(), exchange.Operation{
		Kind: exchange.RESTRequest, Method: h.methods[r.URL.Path].fullName(), Protocol: p.name,
	})
	if contract.Own(r.URL.Path) {
		// The caller could read NOT_SENT as the outcome of the copy that the call asks
		// about.
		err = apierror.FromError(err).WithoutOutcome()
	}
	end(nil, err)
	h.write(w, r, p, err)
}

// write responds to a request that is refused before its call begins: in the request's
// protocol or, if it has none, as REST does.
func (h *Handler) write(w http.ResponseWriter, r *http.Request, p protocol, err error) {
	switch {
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", allow)
		apierror.FromError(err).REST(nil).Write(w)
	case p.name == "":
		w.Header().Set("Accept-Post", acceptPost)
		apierror.FromError(err).REST(nil).Write(w)
	default:
		r.Header.Del(headerConnectVersion) // connect-go's writer knows no other version
		_ = h.refusal.Write(w, r, wireError(err))
	}
}
