// Package integration is the IntegrationService: the methods that only forward
// together, one file for each that does more.
package integration

import (
	"context"
	"errors"
	"time"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/contract"
	"github.com/digate/digate/server/copies"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/upstream"
	"github.com/digate/digate/server/validate"
)

// Upstream sends a call to Diga as [upstream.Client.Call] does. A failure is an
// error that knows its gRPC status.
type Upstream interface {
	Call(ctx context.Context, call upstream.Call) error
}

// Copies carries the calls that create something at most once: see
// [copies.Coordinator].
type Copies interface {
	CopyTemplate(ctx context.Context, req *integrationv1.CopyTemplateRequest, before copies.Before) (_ *integrationv1.Integration, replayed bool, _ error)
	RunCopyTemplate(ctx context.Context, req *integrationv1.CopyTemplateRequest, before copies.Before, by *copies.Runner) (_ *integrationv1.Integration, replayed bool, _ error)
	CreateIntegration(ctx context.Context, req *integrationv1.CreateIntegrationRequest) (_ *integrationv1.Integration, replayed bool, _ error)
	CreateTool(ctx context.Context, req *integrationv1.CreateToolRequest) (_ *integrationv1.Tool, replayed bool, _ error)
}

// Observer observes each copy of a bulk stream. It may be used by many goroutines.
type Observer interface {
	// Start begins the observation of an operation, which runs under the returned
	// context. The caller ends the observation once, with the operation's exchange
	// and error.
	Start(ctx context.Context, op exchange.Operation) (_ context.Context, end func(*exchange.Exchange, error))
}

// Config is what the service needs.
type Config struct {
	Upstream Upstream
	// Copies carries the calls with a request id.
	Copies Copies
	Settings
	// Marked means that a copy with a request id and without a name needs that of its
	// template.
	Marked bool
	// Timeout bounds a call that makes two requests to Diga and has no deadline.
	Timeout time.Duration
	// Draining is closed when the server stops. Streams then finish the copies under
	// way and read no more.
	Draining <-chan struct{}
	Observer Observer
	// Admit, if set, decides whether a copy of a bulk stream may be made, which may
	// take time. Ended is called with its result, and with the context of its exchange.
	Admit func(ctx context.Context, req *integrationv1.CopyTemplateRequest) (ended func(context.Context, error), err error)
}

// Service implements the contract's IntegrationService.
type Service struct {
	// Unsafe makes a method of the contract that is missing here an error of the
	// compiler. One that only forwards is added to forwarded.go.
	integrationv1.UnsafeIntegrationServiceServer

	upstream Upstream
	rules    *validate.Validator
	copies   Copies
	// refuseUnresolved means that a copy with unresolved placeholders is refused
	// unless its request says otherwise.
	refuseUnresolved bool
	marked           bool
	timeout          time.Duration
	required         bool // a call that creates something has to have a request id
	bulk             BulkSettings
	draining         <-chan struct{}
	observer         Observer
	admit            func(context.Context, *integrationv1.CopyTemplateRequest) (func(context.Context, error), error)
}

var _ integrationv1.IntegrationServiceServer = (*Service)(nil)

// New returns the service. A validation rule in the contract that is not
// enforced here is an error.
func New(cfg Config) (*Service, error) {
	if cfg.Upstream == nil || cfg.Copies == nil || cfg.Observer == nil {
		return nil, errors.New("integration: the configuration is incomplete")
	}
	rules, err := validate.Compile(contract.Integration())
	if err != nil {
		return nil, err
	}
	return &Service{
		upstream: cfg.Upstream, rules: rules, copies: cfg.Copies, required: cfg.RequireRequestID, refuseUnresolved: cfg.Unresolved == unresolvedRefuse, marked: cfg.Marked, timeout: cfg.Timeout, bulk: cfg.Bulk,
		draining: cfg.Draining, observer: cfg.Observer, admit: cfg.Admit,
	}, nil
}
