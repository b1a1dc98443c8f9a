package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc/codes"

	digatev1 "github.com/digate/digate/gen/digate/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/audit"
	"github.com/digate/digate/server/copies"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/ledger"
)

// auditKind is the kind of audit lines about calls that an operator settled in the ledger
// itself.
const auditKind = "operator"

// settling writes the audit lines about a call that an operator settles.
type settling struct {
	log    *audit.Log // nil without an audit log
	entry  audit.Entry
	number uint64
	began  time.Time
}

// beginAudit opens the audit log of the settings, if there is one. If the log is
// required, an error means that the call must not be settled.
func beginAudit(ctx context.Context, s audit.Settings, who string, m copies.Method, r ledger.Record, id string, log *slog.Logger) (*settling, error) {
	a := &settling{began: time.Now()}
	switch {
	case !s.On() && s.Required:
		return nil, errors.New("--audit-required: needs --audit-log")
	case !s.On():
		return a, nil
	}
	l, err := audit.Open(s, version(), auditTrouble{log})
	if err != nil {
		return nil, err
	}
	a.log = l
	a.entry = audit.Entry{
		Kind: auditKind, Method: strings.TrimPrefix(digatev1.LedgerService_ResolveCopy_FullMethodName, "/"),
		Caller: who, By: audit.ByNothing, LedgerRecord: r.Key.RecordName(), IntegrationID: id,
	}
	switch m {
	case copies.CreateTool:
		a.entry.IntegrationID, a.entry.ToolID = r.ParentID, id
	case copies.CopyTemplate:
		a.entry.TemplateID = r.ParentID
	}
	if l.Required() {
		if a.number, err = l.Begin(ctx, &a.entry); err != nil {
			l.Close()
			return nil, fmt.Errorf("--audit-required: the audit log cannot be written, and nothing was settled: %w", err)
		}
	}
	return a, nil
}

// end writes the line with the result.
func (a *settling) end(err error) {
	if a.log == nil {
		return
	}
	a.line(a.number, &a.entry, a.began, err)
	a.log.Close()
}

// line writes a line about something that began at the given time.
func (a *settling) line(number uint64, e *audit.Entry, began time.Time, err error) {
	c := codes.OK
	if err != nil {
		failed := apierror.FromError(err)
		c, e.Reason = failed.Code, failed.Reason
	}
	e.Code, e.Outcome, e.Duration = code.Code(c).String(), exchange.NotApplicable.String(), time.Since(began)
	a.log.End(number, e)
}

// watch makes the marks report what they settle to the audit log, whatever the operator
// decides.
func (a *settling) watch(m *copies.Marks) {
	m.Observer = a
	if a.log != nil && a.log.Required() {
		m.BeforeSettle = func(ctx context.Context, _ *digatev1.ResolveCopyRequest) (err error) {
			ex := exchange.FromContext(ctx)
			ex.AuditNumber, err = a.log.Begin(ctx, a.byMark(ex.CreatedID))
			return err
		}
	}
}

// byMark returns the entry for a doubt that a mark settles.
func (a *settling) byMark(createdID string) *audit.Entry {
	e := a.entry
	e.Kind, e.IntegrationID = exchange.Settlement.String(), createdID
	return &e
}

// Start implements [copies.Observer].
func (a *settling) Start(ctx context.Context, op exchange.Operation) (context.Context, func(*exchange.Exchange, error)) {
	began := time.Now()
	return ctx, func(ex *exchange.Exchange, err error) {
		if a.log != nil && op.Kind == exchange.Settlement {
			a.line(ex.AuditNumber, a.byMark(ex.CreatedID), began, err)
		}
	}
}

// auditTrouble logs problems of an audit log.
type auditTrouble struct{ log *slog.Logger }

func (t auditTrouble) AuditFailing(cause string) {
	t.log.Error("the audit log cannot be written", "cause", cause)
}
func (t auditTrouble) AuditBack(time.Duration) { t.log.Info("the audit log can be written again") }
func (t auditTrouble) AuditLost(lines uint64) {
	t.log.Error("lines of the audit log were lost", "lines", lines)
}
