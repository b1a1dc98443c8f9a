// Package ledgerservice implements the LedgerService, which shows the ledger's records to
// callers and settles calls in doubt.
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

// Ledger is the part of the ledger that the service uses; see [ledger.Store].
type Ledger interface {
	Get(ctx context.Context, key ledger.Digest) (r ledger.Record, found bool, err error)
	Resolve(ctx context.Context, key ledger.Digest, token ledger.Token, integrationID string) error
	Named(ctx context.Context, createdIDs []string) ([]string, error)
}

// Config is the configuration of the service.
type Config struct {
	Ledger   Ledger
	Upstream copies.Upstream
	// Marks settles doubts. If nil, only callers settle them.
	Marks *copies.Marks
	// Key returns the ledger key for a method and a request id of the caller in the
	// context, and Caller the caller's name.
	Key    func(ctx context.Context, m copies.Method, requestID string) (ledger.Digest, error)
	Caller func(ctx context.Context) (string, error)
	// LedgerOf, if set, returns the ledger for the call with the key, instead of Ledger.
	LedgerOf func(ctx context.Context, m copies.Method, requestID string, key ledger.Digest) (Ledger, error)
	// Store is the kind of store: memory, sqlite or postgres.
	Store string
	// Durable means that the records survive the server's process.
	Durable bool
	// Retention is how long settled records are kept.
	Retention time.Duration
	// OwnerGone is how long after its lease has expired the owner of a call may still be
	// sending it, for example because it lost its connection to the ledger. Until then,
	// the call cannot be settled as not created. OwnerGone is the maximum duration of a
	// call plus a margin for the server's clock. It must be positive.
	OwnerGone time.Duration
	// BeforeResolve, if set, runs with the request before a doubt is settled. If it
	// fails, the doubt is not settled.
	BeforeResolve func(context.Context, *digatev1.ResolveCopyRequest) error
	Log           *slog.Logger
}

// Service implements the LedgerService.
type Service struct {
	// Unsafe makes a missing method a compile error.
	digatev1.UnsafeLedgerServiceServer

	cfg     Config
	settler Settler
	rules   *validate.Validator
}

var _ digatev1.LedgerServiceServer = (*Service)(nil)

// New returns the service. It fails if the contract has a validation rule that digate
// does not enforce.
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

// concludeNothing removes the outcome of an error. The call is about an earlier call, and
// its caller could take NOT_SENT for the outcome of that call.
func concludeNothing(err error) error {
	if err == nil {
		return nil
	}
	return apierror.FromError(err).WithoutOutcome()
}

// unavailable returns the error of a ledger that failed, or of a call that ended first.
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

// record returns the record for a request id of a method, and the settler for it. It adds
// the record's name to the log line of this call.
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
