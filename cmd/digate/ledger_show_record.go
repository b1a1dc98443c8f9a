package main

import (
	"context"
	"errors"

	"google.golang.org/grpc"

	digatev1 "github.com/digate/digate/gen/digate/v1"
	"github.com/digate/digate/server/copies"
	"github.com/digate/digate/server/ledger"
	"github.com/digate/digate/server/ledgerservice"
	"github.com/digate/digate/server/upstream"
)

// methodOf returns the method of a record or, if the record has none, the one in
// --method.
func (f *ledgerFlags) methodOf(r ledger.Record) (copies.Method, error) {
	m, known := copies.ParseMethod(r.Method)
	given, isGiven := copies.ParseMethod(f.Method)
	switch {
	case known && isGiven && m != given:
		return m, errors.New("--method: the record is of " + m.String())
	case known:
		return m, nil
	case isGiven:
		return given, nil
	case r.ParentID == "":
		return copies.CreateIntegration, nil
	default:
		return m, errors.New("the record is of an older digate and does not say its method: name it with --method")
	}
}

// showOperator returns the record with a name, as GetCopy does for a request id. With a
// token, it also returns the candidates of a doubt. Without one, hint says how to get
// them.
func (c *ledgerShowCmd) showOperator(ctx context.Context) (_ *digatev1.GetCopyResponse, hint string, _ error) {
	r, err := c.find(ctx, c.Record)
	if err != nil {
		return nil, "", err
	}
	m, err := c.methodOf(r)
	if err != nil {
		return nil, "", err
	}
	resp := &digatev1.GetCopyResponse{Copy: ledgerservice.Message(m, "", r)}
	switch {
	case r.State != ledger.Unknown:
		return resp, "", nil
	case !c.local():
		return resp, "Its candidates are shown with --ledger, which names the ledger itself, and a token of its account.", nil
	}
	if !c.HasToken(ctx) {
		return resp, "Its candidates are shown with a token of its account, in DIGATE_TOKEN or --token-file, through a running digate (--addr).", nil
	}
	if err := c.candidates(ctx, m, r, resp); err != nil {
		return resp, "Its candidates could not be asked for: " + err.Error(), nil
	}
	return resp, "", nil
}

func (c *ledgerShowCmd) candidates(ctx context.Context, m copies.Method, r ledger.Record, to *digatev1.GetCopyResponse) error {
	l, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = l.Close() }()
	ctx, conn, done, err := c.Connect(ctx)
	if err != nil {
		return err
	}
	defer done()
	found, err := copies.Candidates(ctx, throughDigate{conn}, l.Named, m, r, copies.Look)
	if err != nil {
		return err
	}
	to.Copy.Candidates = ledgerservice.CandidateMessages(m, found)
	return nil
}

// throughDigate sends requests to Diga through a running digate, with the token of the
// person who runs the command.
type throughDigate struct{ conn grpc.ClientConnInterface }

func (u throughDigate) Call(ctx context.Context, call upstream.Call) error {
	return u.conn.Invoke(ctx, call.Method, call.Request, call.Response)
}
