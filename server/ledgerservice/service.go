// Package ledgerservice implements the LedgerService, which shows the ledger's
// records of calls with a request id, and settles those in doubt.
package ledgerservice

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	digatev1 "github.com/digate/digate/gen/digate/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/contract"
	"github.com/digate/digate/server/copies"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/ledger"
	"github.com/digate/digate/server/validate"
)

// Ledger is what the service needs of the records: see [ledger.Store].
type Ledger interface {
	Get(ctx context.Context, key ledger.Digest) (r ledger.Record, found bool, err error)
	Resolve(ctx context.Context, key ledger.Digest, token ledger.Token, integrationID string) error
	Named(ctx context.Context, createdIDs []string) ([]string, error)
}

// Config is what the service needs.
type Config struct {
	Ledger   Ledger
	Upstream copies.Upstream
	// Marks settles doubts; nil if only callers do.
	Marks *copies.Marks
	// Key returns the ledger's key for a method and a request id of the context's
	// caller, and Caller the caller's name.
	Key    func(ctx context.Context, m copies.Method, requestID string) (ledger.Digest, error)
	Caller func(ctx context.Context) (string, error)
	// LedgerOf, if set, returns what keeps the record of the call that has the key, in
	// place of Ledger.
	LedgerOf func(ctx context.Context, m copies.Method, requestID string, key ledger.Digest) (Ledger, error)
	// Store is the kind of the store: memory, sqlite or postgres.
	Store string
	// Durable means that the records survive the end of the server.
	Durable bool
	// Retention is how long settled records are kept.
	Retention time.Duration
	// OwnerGone is how long after the end of its lease the owner of a call may still
	// be sending it, as an owner that was cut off from the ledger does. Until then the
	// call cannot be settled as not created. OwnerGone is the longest time that a
	// server takes for one call, plus a margin for its clock. It must be positive.
	OwnerGone time.Duration
	// BeforeResolve, if set, runs before a doubt is settled, with the request. If it
	// fails, the doubt is not settled.
	BeforeResolve func(context.Context, *digatev1.ResolveCopyRequest) error
	Log           *slog.Logger
}

// Service implements the LedgerService.
type Service struct {
	// Unsafe makes a method of the contract that is missing here an error of the
	// compiler.
	digatev1.UnsafeLedgerServiceServer

	cfg     Config
	settler Settler
	rules   *validate.Validator
}

var _ digatev1.LedgerServiceServer = (*Service)(nil)

// New returns the service. A validation rule in its contract that is not
// enforced here is an error.
func New(cfg Config) (*Service, error) {
	if cfg.Ledger == nil || cfg.Upstream == nil || cfg.Key == nil || cfg.Caller == nil || cfg.Log == nil || cfg.OwnerGone <= 0 {
		return nil, errors.New("ledgerservice: the configuration is incomplete")
	}
	rules, err := validate.Compile(contract.Ledger())
	if err != nil {
		return nil, err
	}
	settler := Settler{cfg.Ledger, cfg.Upstream, cfg.Marks, cfg.OwnerGone, cfg.Log}
	return &Service{cfg: cfg, settler: settler, rules: rules}, nil
}

// concludeNothing returns the error of a call without an outcome. The call is about
// what another call sent, so a NOT_SENT of this call would be read as one of that
// call.
func concludeNothing(err error) error {
	if err == nil {
		return nil
	}
	return apierror.FromError(err).WithoutOutcome()
}

// unavailable returns the error of a ledger that failed, or of a caller who left.
func unavailable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return apierror.NotBegun(ctx.Err()).WithMessage("the call ended before the ledger responded")
	}
	return apierror.LedgerUnavailable(err).WithMessage("the ledger of request ids cannot be used")
}

// GetLedger implements [digatev1.LedgerServiceServer].
func (s *Service) GetLedger(ctx context.Context, _ *digatev1.GetLedgerRequest) (*digatev1.GetLedgerResponse, error) {
	caller, err := s.cfg.Caller(ctx)
	if err != nil {
		return nil, concludeNothing(err)
	}
	return &digatev1.GetLedgerResponse{
		Store: s.cfg.Store, Durable: s.cfg.Durable, Retention: durationpb.New(s.cfg.Retention), Caller: caller,
	}, nil
}

// GetCopy implements [digatev1.LedgerServiceServer].
func (s *Service) GetCopy(ctx context.Context, req *digatev1.GetCopyRequest) (*digatev1.GetCopyResponse, error) {
	resp, err := s.getCopy(ctx, req)
	return resp, concludeNothing(err)
}

func (s *Service) getCopy(ctx context.Context, req *digatev1.GetCopyRequest) (*digatev1.GetCopyResponse, error) {
	if err := s.rules.Validate(req); err != nil {
		return nil, err
	}
	m := methodOf(req.GetMethod())
	r, settler, err := s.record(ctx, m, req.GetRequestId())
	if err != nil {
		return nil, err
	}
	found, _, err := settler.candidates(ctx, m, &r)
	if err != nil {
		return nil, err
	}
	out := Message(m, req.GetRequestId(), r)
	if r.State == ledger.Unknown {
		out.Candidates = CandidateMessages(m, found)
	}
	return &digatev1.GetCopyResponse{Copy: out}, nil
}

// record returns the record for a request id of a method, with what settles it, and
// names it in the log line of this call.
func (s *Service) record(ctx context.Context, m copies.Method, requestID string) (ledger.Record, Settler, error) {
	settler := s.settler
	key, err := s.cfg.Key(ctx, m, requestID)
	if err != nil {
		return ledger.Record{}, settler, err
	}
	if s.cfg.LedgerOf != nil {
		if settler.Ledger, err = s.cfg.LedgerOf(ctx, m, requestID, key); err != nil {
			return ledger.Record{}, settler, err
		}
	}
	r, err := get(ctx, settler.Ledger, key)
	if err == nil {
		key = r.Key
	}
	if ex := exchange.FromContext(ctx); ex != nil {
		ex.LedgerRecord = key.RecordName()
	}
	return r, settler, err
}
