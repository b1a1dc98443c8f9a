// Package integration implements the IntegrationService. Methods that only forward their
// call to Diga are in one file; each of the others has a file of its own.
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

// Upstream sends a call to Diga, as [upstream.Client.Call] does. Its errors have a gRPC
// status.
type Upstream interface {
	Call(ctx context.Context, call upstream.Call) error
}

// Copies makes the calls that create something at most once; see [copies.Coordinator].
type Copies interface {
	CopyTemplate(ctx context.Context, req *integrationv1.CopyTemplateRequest, before copies.Before) (_ *integrationv1.Integration, replayed bool, _ error)
	RunCopyTemplate(ctx context.Context, req *integrationv1.CopyTemplateRequest, before copies.Before, by *copies.Runner) (_ *integrationv1.Integration, replayed bool, _ error)
	CreateIntegration(ctx context.Context, req *integrationv1.CreateIntegrationRequest) (_ *integrationv1.Integration, replayed bool, _ error)
	CreateTool(ctx context.Context, req *integrationv1.CreateToolRequest) (_ *integrationv1.Tool, replayed bool, _ error)
}

// Observer observes each copy of a bulk stream. It must be safe for concurrent use.
type Observer interface {
	// Start begins to observe an operation, and returns the context for it. The service
	// calls end once, with the operation's exchange and error.
	Start(ctx context.Context, op exchange.Operation) (_ context.Context, end func(*exchange.Exchange, error))
}

// Config is the configuration of the service.
type Config struct {
	Upstream Upstream
	// Copies makes the calls with a request id.
	Copies Copies
	Settings
	// Marked means that a copy with a request id but without a name needs the name of its
	// template.
	Marked bool
	// Timeout is the time limit of a call without a deadline that makes two requests to
	// Diga.
	Timeout time.Duration
	// Draining is closed when the server stops. Streams then finish the copies in
	// progress and read no more.
	Draining <-chan struct{}
	Observer Observer
	// Admit, if set, decides whether a copy of a bulk stream may be made. It may wait.
	// ended is called with the result of the copy and with its context.
	Admit func(ctx context.Context, req *integrationv1.CopyTemplateRequest) (ended func(context.Context, error), err error)
}

// Service implements the contract's IntegrationService.
type Service struct {
	// Unsafe makes a missing method a compile error. Add a method that only forwards its
	// call to forwarded.go.
	integrationv1.UnsafeIntegrationServiceServer

	upstream Upstream
	rules    *validate.Validator
	copies   Copies
	// refuseUnresolved means that a copy with unresolved placeholders is refused unless
	// its request says otherwise.
	refuseUnresolved bool
	marked           bool
	timeout          time.Duration
	required         bool // calls that create something need a request id
	bulk             BulkSettings
	draining         <-chan struct{}
	observer         Observer
	admit            func(context.Context, *integrationv1.CopyTemplateRequest) (func(context.Context, error), error)
}

var _ integrationv1.IntegrationServiceServer = (*Service)(nil)

// New returns the service. It fails if the contract has a validation rule that digate
// does not enforce.
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
