package copies

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/deadline"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/ledger"
	"github.com/digate/digate/server/upstream"
)

// renameTimeout is the time limit of renaming an integration. The integration exists by
// then, and a repeated call also renames it.
const renameTimeout = 10 * time.Second

var errOther = errors.New("another resource was returned")

// rename renames the integration of a record, and returns Diga's response.
func (m *Marks) rename(ctx context.Context, record, id, name string) (*integrationv1.Integration, *exchange.Exchange, error) {
	const method = integrationv1.IntegrationService_UpdateIntegration_FullMethodName
	ctx, cancel := context.WithTimeout(ctx, renameTimeout)
	defer cancel()
	req := &integrationv1.UpdateIntegrationRequest{IntegrationId: id, Name: &name}
	ctx, end := m.Observer.Start(ctx, exchange.Operation{Kind: exchange.Rename, Method: method, Request: req})
	ctx, ex := exchange.NewContext(ctx)
	ex.LedgerRecord = record
	var resp integrationv1.UpdateIntegrationResponse
	err := m.Upstream.Call(ctx, upstream.Call{Method: method, Request: req, Response: &resp})
	end(ex, err)
	if err == nil && resp.GetIntegration().GetId() != id {
		err = errOther
	}
	return resp.GetIntegration(), ex, err
}

// unmark reads the integration of a record, and removes the mark from its name if the
// name still has it. It returns Diga's last response.
func (m *Marks) unmark(ctx context.Context, record, id, suffix string) (*integrationv1.Integration, *exchange.Exchange, error) {
	ctx, ex := exchange.NewContext(ctx)
	in, err := getIntegration(ctx, m.Upstream, id)
	if err != nil {
		return nil, ex, err
	}
	if in.GetId() != id {
		return nil, ex, errOther
	}
	if name, ok := strings.CutSuffix(in.GetName(), suffix); ok {
		return m.rename(ctx, record, id, name)
	}
	return in, ex, nil
}

// logNotRenamed logs that an integration could not be renamed.
func (m *Marks) logNotRenamed(ctx context.Context, key ledger.Digest, err error) {
	m.Log.LogAttrs(ctx, slog.LevelWarn, "an integration keeps the mark of its call until the call is repeated",
		slog.String("ledger_record", key.RecordName()), slog.String("reason", apierror.FromError(err).Reason))
}

// rename gives the integration that the flight created the requested name. began is when
// the flight began. Renaming may take half of the caller's remaining time. If it fails,
// the result is the integration with the marked name.
func (a *attempt) rename(began time.Time) (ok bool) {
	defer func() {
		if p := recover(); p != nil {
			_ = a.panicked(p)
		}
	}()
	timeout := renameTimeout
	if ends, ok := a.ledgerTime.Deadline(); ok && a.caller.Err() == nil {
		timeout = min(timeout, time.Until(ends)/2)
	}
	var limit deadline.Context
	ctx := a.detach(&limit, timeout)
	defer limit.End()
	marks, created := a.coordinator.cfg.Marks, a.flight.created
	if integrationOf(created).GetName() == a.requestedName {
		return true
	}
	if time.Since(began) >= a.coordinator.cfg.Lease {
		// The lease may have expired meanwhile. Then another replica may have settled the
		// doubt and removed the mark, and somebody may have changed the name since.
		return a.adopt(marks.unmark(ctx, a.flight.ex.LedgerRecord, created.id, a.suffix)) == nil
	}
	return a.adopt(marks.rename(ctx, a.flight.ex.LedgerRecord, created.id, a.requestedName)) == nil
}

// adopt makes Diga's response the result of the flight, unless Diga failed. The status
// stays that of a create call.
func (a *attempt) adopt(in *integrationv1.Integration, ex *exchange.Exchange, err error) error {
	if err == nil {
		a.flight.created = integrationResource(in)
		a.flight.ex.Body, a.flight.ex.Relay = ex.Body, ex.Relay
	}
	return err
}

// renameLater removes the mark after the flight has finished. It must not change the
// flight's results.
func (a *attempt) renameLater() {
	defer func() {
		if p := recover(); p != nil {
			_ = a.panicked(p)
		}
	}()
	var limit deadline.Context
	ctx := a.detach(&limit, renameTimeout)
	defer limit.End()
	marks := a.coordinator.cfg.Marks
	if _, _, err := marks.unmark(ctx, a.flight.ex.LedgerRecord, a.flight.created.id, a.suffix); err != nil {
		marks.logNotRenamed(ctx, a.key, err)
	}
}

// unmark removes the mark of a record's claim from the name of the replayed integration.
// A name without the mark stays: the mark was removed, or somebody has changed the name.
func (a *attempt) unmark(r ledger.Record) {
	marks := a.coordinator.cfg.Marks
	if marks == nil {
		return
	}
	created := a.flight.created
	name, ok := strings.CutSuffix(integrationOf(created).GetName(), marks.suffix(r.Key, r.Token))
	if !ok {
		return
	}
	if err := a.adopt(marks.rename(a.ledgerTime, r.Key.RecordName(), created.id, name)); err != nil {
		marks.logNotRenamed(a.caller, r.Key, err)
	}
}

func integrationOf(r resource) *integrationv1.Integration {
	in, _ := r.message.(*integrationv1.Integration)
	return in
}
