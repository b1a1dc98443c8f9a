// Package integration is the IntegrationService: the methods that only forward
// together, one file for each that does more.
package integration

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"google.golang.org/protobuf/proto"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/ledger"
	"github.com/digate/digate/server/upstream"
)

// Upstream sends a call to Diga as [upstream.Client.Call] does. A failure is an
// error that knows its gRPC status.
type Upstream interface {
	Call(ctx context.Context, call upstream.Call) error
}

// Ledger keeps the records of copies with a request id: see [ledger.Store].
type Ledger interface {
	Claim(ctx context.Context, c ledger.Claim) (r ledger.Record, mine bool, err error)
	Renew(ctx context.Context, key ledger.Digest, token ledger.Token, lease time.Duration) error
	MarkSending(ctx context.Context, key ledger.Digest, token ledger.Token, lease time.Duration) error
	MarkDone(ctx context.Context, key ledger.Digest, token ledger.Token, integrationID string) error
	MarkUnknown(ctx context.Context, key ledger.Digest, token ledger.Token) error
	Release(ctx context.Context, key ledger.Digest, token ledger.Token) error
	Named(ctx context.Context, integrationIDs []string) ([]string, error)
}

// Config is what the service needs.
type Config struct {
	Upstream Upstream
	Ledger   Ledger
	// Key is the ledger's key for a request id of the context's caller.
	Key func(ctx context.Context, requestID string) (ledger.Digest, error)
	// Fingerprint is the keyed digest of a request.
	Fingerprint func(parts ...[]byte) ledger.Digest
	// RequireRequestID refuses copies without one.
	RequireRequestID bool
	// Timeout bounds a copy that was sent and whose caller may be gone.
	Timeout time.Duration
	// Lease is how long a claim lasts whose owner died.
	Lease time.Duration
	Bulk  BulkConfig
	// Draining is closed when the server stops: streams end with what is under way.
	Draining <-chan struct{}
	// Ended is told of each call to the vendor that is no gRPC or REST call of
	// its own: a copy of a bulk stream, or one that its caller left. It may be
	// called by many goroutines.
	Ended func(ctx context.Context, what string, ex *exchange.Exchange, err error)
	Log   *slog.Logger
}

// BulkConfig bounds the bulk streams.
type BulkConfig struct {
	// Concurrency is how many copies of one stream are under way at once.
	Concurrency int
	// MaxItems is how many copies one stream may ask for.
	MaxItems int
	// ItemTimeout bounds one copy.
	ItemTimeout time.Duration
	// StallTimeout is how long a stream may stand still.
	StallTimeout time.Duration
}

// Service implements the contract's IntegrationService.
type Service struct {
	integrationv1.UnimplementedIntegrationServiceServer
	upstream Upstream
	rules    *Rules
	copies   *copies
	required bool // a copy has to have a request id
	bulk     BulkConfig
	draining <-chan struct{}
	ended    func(ctx context.Context, what string, ex *exchange.Exchange, err error)
}

var _ integrationv1.IntegrationServiceServer = (*Service)(nil)

// New returns the service. A validation rule in the contract that is not
// enforced here is an error.
func New(cfg Config) (*Service, error) {
	if cfg.Upstream == nil || cfg.Ledger == nil || cfg.Key == nil || cfg.Fingerprint == nil || cfg.Ended == nil || cfg.Log == nil {
		return nil, errors.New("integration: the configuration is not whole")
	}
	rules, err := CompileRules(integrationv1.File_diga_integration_v1_integration_service_proto.Services().ByName("IntegrationService"))
	if err != nil {
		return nil, err
	}
	return &Service{
		upstream: cfg.Upstream, rules: rules, copies: newCopies(cfg), required: cfg.RequireRequestID, bulk: cfg.Bulk,
		draining: cfg.Draining, ended: cfg.Ended,
	}, nil
}

// Close ends what goes on without a caller: the outcome of a copy that cannot be
// recorded at once is left to the lease of its record, which makes it a doubt.
func (s *Service) Close() { s.copies.close() }

// Wait returns when no copy is under way whose caller may have left, or when the
// context ends. No call may begin meanwhile.
func (s *Service) Wait(ctx context.Context) { s.copies.wait(ctx) }

// forward validates a request and sends it upstream.
func forward[M any, Response interface {
	*M
	proto.Message
}](ctx context.Context, s *Service, method string, req proto.Message) (Response, error) {
	if err := s.rules.Validate(req); err != nil {
		return nil, err
	}
	resp := Response(new(M))
	if err := s.upstream.Call(ctx, upstream.Call{Method: method, Request: req, Response: resp}); err != nil {
		return nil, err
	}
	return resp, nil
}
