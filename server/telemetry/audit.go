package telemetry

import (
	"cmp"
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/protobuf/proto"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/audit"
	"github.com/digate/digate/server/authn"
	"github.com/digate/digate/server/exchange"
)

// auditing writes the audit log.
type auditing struct {
	telemetry *Telemetry
	log       *audit.Log
	writes    map[string]bool // the methods with lines, by name
	omitted   omission
}

// Audit writes a line to the audit log for each call of the methods, which are full gRPC
// names, and for each operation. It may be called once, before the first call.
func (t *Telemetry) Audit(l *audit.Log, methods []string) {
	a := &auditing{telemetry: t, log: l, writes: make(map[string]bool)}
	for _, m := range methods {
		a.writes[strings.TrimPrefix(m, "/")] = true
	}
	a.omitted.counter = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "digate_audit_lines_omitted_total", Help: "Audit lines about refused writes of unknown callers that were omitted.",
	})
	a.omitted.report = l.Omitted
	t.audit = a
	t.registry.MustRegister(a.omitted.counter, auditCollector{l})
}

// about has the ids of the resources that a write is about.
type about struct {
	template, integration, tool string
	created                     string
}

// ask records the ids in a request. It ignores ids that are not UUIDs.
func (a *about) ask(req any) {
	if m, ok := req.(interface{ GetTemplateId() string }); ok && isUUID(m.GetTemplateId()) {
		a.template = m.GetTemplateId()
	}
	if m, ok := req.(interface{ GetIntegrationId() string }); ok && isUUID(m.GetIntegrationId()) {
		a.integration = m.GetIntegrationId()
	}
	if m, ok := req.(interface{ GetToolId() string }); ok && isUUID(m.GetToolId()) {
		a.tool = m.GetToolId()
	}
}

// made records the id of the resource in a response.
func (a *about) made(resp any) {
	switch m := resp.(type) {
	case interface {
		GetIntegration() *integrationv1.Integration
	}:
		a.created = m.GetIntegration().GetId()
	case interface{ GetTool() *integrationv1.Tool }:
		a.created = cmp.Or(m.GetTool().GetHttp().GetId(), m.GetTool().GetMcp().GetId())
	}
}

// isUUID reports whether a text has the form of a UUID.
func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if dash := i == 8 || i == 13 || i == 18 || i == 23; dash != (c == '-') ||
			!dash && !(c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F') {
			return false
		}
	}
	return true
}

// toolMethods are the methods that return a tool.
var toolMethods = map[string]bool{
	strings.TrimPrefix(integrationv1.IntegrationService_CreateTool_FullMethodName, "/"): true,
	strings.TrimPrefix(integrationv1.IntegrationService_UpdateTool_FullMethodName, "/"): true,
}

// bulkMethod is the streaming method whose copies have lines of their own.
var bulkMethod = strings.TrimPrefix(integrationv1.IntegrationService_BulkCopyTemplate_FullMethodName, "/")

// kindCall is the kind of a line about a call.
const kindCall = "call"

// call writes the line of a call. A bulk stream has a line only if it was refused before
// any of its copies was begun, because each copy has its own line.
func (a *auditing) call(ctx context.Context, c *call, took time.Duration) {
	if c.method == bulkMethod && (c.code == codes.OK || c.exchange != nil && c.exchange.Items != nil && c.exchange.Items.Total > 0) {
		return
	}
	a.end(ctx, kindCall, c, took)
}

// operation writes the line of an operation.
func (a *auditing) operation(ctx context.Context, kind exchange.Kind, c *call, took time.Duration) {
	if of := callFromContext(ctx); of != nil {
		c.protocol, c.peer = of.protocol, of.peer
	} else {
		c.protocol = protocolGRPC
	}
	a.end(ctx, kind.String(), c, took)
}

// end writes the line at the end of a write.
func (a *auditing) end(ctx context.Context, kind string, c *call, took time.Duration) {
	if !a.writes[c.method] {
		return
	}
	number := uint64(0)
	if c.exchange != nil {
		number = c.exchange.AuditNumber
	}
	if number == 0 && c.code != codes.OK && c.ofStranger(slog.LevelInfo) && !a.omitted.allows() {
		return
	}
	e := a.entry(ctx, kind, c)
	e.Code, e.Outcome, e.Reason, e.HTTPStatus, e.Duration = codeName(c.code), c.outcome.String(), c.reason, c.httpStat, took
	if ex := c.exchange; ex != nil {
		e.UpstreamStatus, e.Attempts, e.Replayed = ex.Status, len(ex.Attempts), ex.Replayed
	}
	a.log.End(number, e)
}

// entry returns the part of the line that is the same at the beginning and the end of a
// write.
func (a *auditing) entry(ctx context.Context, kind string, c *call) *audit.Entry {
	e := &audit.Entry{
		Kind: kind, Protocol: c.protocol, Peer: c.peer, Method: c.method, By: audit.ByNothing,
		TemplateID: c.about.template, IntegrationID: c.about.integration, ToolID: c.about.tool, XRequestID: c.requestID,
	}
	if e.Peer == "" {
		if p, ok := peer.FromContext(ctx); ok && p.Addr != nil {
			e.Peer = p.Addr.String()
		}
	}
	if c.principal != nil {
		identify(e, c.principal)
	}
	e.TraceID, _ = c.traceIDs()
	created := c.about.created
	if c.exchange != nil {
		e.LedgerRecord = c.exchange.LedgerRecord
		created = cmp.Or(created, c.exchange.CreatedID)
	}
	if toolMethods[c.method] {
		e.ToolID = cmp.Or(created, e.ToolID)
	} else {
		e.IntegrationID = cmp.Or(created, e.IntegrationID)
	}
	return e
}

// identify sets the caller of a write, and how the caller was identified. For a caller
// without a name, it is the identity of the caller's ledger records, which reveals
// neither token nor claim.
func identify(e *audit.Entry, p *authn.Principal) {
	n := p.Named()
	switch {
	case n == nil && p.Claimed():
		e.Caller, e.By = p.ID(), audit.ByClaim
		return
	case n == nil:
		e.Caller, e.By = p.ID(), audit.ByPassthrough
		return
	case n.ByCertificate:
		e.By = audit.ByCertificate
	default:
		e.By = audit.ByToken
	}
	e.Account, e.Caller = n.Account, n.Caller
}

// BeforeWrite writes the line at the beginning of a write. If it fails, the write is
// refused.
func (t *Telemetry) BeforeWrite(ctx context.Context, method string, request proto.Message) error {
	c := &call{method: t.label(method), protocol: protocolGRPC, exchange: exchange.FromContext(ctx), span: trace.SpanFromContext(ctx)}
	t.name(ctx, c)
	if of := callFromContext(ctx); of != nil {
		c.protocol, c.peer = of.protocol, of.peer
	}
	c.about.ask(request)
	if c.exchange != nil {
		c.requestID, c.callersTrace = c.exchange.XRequestID, c.exchange.CallersTrace
	}
	number, err := t.audit.log.Begin(ctx, t.audit.entry(ctx, "", c))
	if c.exchange != nil {
		c.exchange.AuditNumber = number
	}
	if err != nil {
		return apierror.AuditUnavailable()
	}
	return nil
}

// AuditFailing implements [audit.Observer].
func (t *Telemetry) AuditFailing(cause string) {
	t.log.LogAttrs(context.Background(), slog.LevelError, "the audit log cannot be written", slog.String("cause", cause))
}

// AuditBack implements [audit.Observer].
func (t *Telemetry) AuditBack(failed time.Duration) {
	t.log.LogAttrs(context.Background(), slog.LevelInfo, "the audit log can be written again", slog.String("failed_for", failed.Round(time.Millisecond).String()))
}

// AuditLost implements [audit.Observer].
func (t *Telemetry) AuditLost(lines uint64) {
	t.log.LogAttrs(context.Background(), slog.LevelError, "lines of the audit log were lost", slog.Uint64("lines", lines))
}

var _ audit.Observer = (*Telemetry)(nil)

func auditDesc(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("digate_audit_"+name, help, nil, nil)
}

var (
	auditUp      = auditDesc("up", "0 while the audit log cannot be written.")
	auditLost    = auditDesc("lines_lost_total", "Audit lines that were lost because they could not be written.")
	auditRefused = auditDesc("writes_refused_total", "Writes that were refused because the audit log could not be written; only with --audit-required.")
	auditPending = auditDesc("pending_bytes", "Size of the audit lines that wait to be written.")
	auditLimit   = auditDesc("pending_limit_bytes", "Maximum size of the lines that may wait; further lines are lost.")
)

// auditCollector reads the state of the audit log at each scrape.
type auditCollector struct{ log *audit.Log }

// Describe implements [prometheus.Collector].
func (auditCollector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{auditUp, auditLost, auditRefused, auditPending, auditLimit} {
		to <- d
	}
}

// Collect implements [prometheus.Collector].
func (c auditCollector) Collect(to chan<- prometheus.Metric) {
	s := c.log.State()
	up := 1.0
	if s.Failing != "" {
		up = 0
	}
	to <- prometheus.MustNewConstMetric(auditUp, prometheus.GaugeValue, up)
	to <- prometheus.MustNewConstMetric(auditPending, prometheus.GaugeValue, float64(s.Pending))
	to <- prometheus.MustNewConstMetric(auditLimit, prometheus.GaugeValue, float64(s.Limit))
	to <- prometheus.MustNewConstMetric(auditLost, prometheus.CounterValue, float64(s.Lost))
	to <- prometheus.MustNewConstMetric(auditRefused, prometheus.CounterValue, float64(s.Refused))
}
