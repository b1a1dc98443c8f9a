package server

import (
	"context"
	"net/http"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	digatev1 "github.com/digate/digate/gen/digate/v1"
	"github.com/digate/digate/server/audit"
	"github.com/digate/digate/server/contract"
	"github.com/digate/digate/server/gateway"
	"github.com/digate/digate/server/lifecycle"
	"github.com/digate/digate/server/setting"
)

// openAudit opens the audit log, if one is set, and puts it on the stack. It is lower on
// the stack than every part that writes to it, so it closes after them.
func (s *Server) openAudit(version string) error {
	if !s.cfg.Audit.On() {
		return nil
	}
	l, err := audit.Open(s.cfg.Audit, version, s.telemetry)
	if err != nil {
		return setting.OfPath(err)
	}
	s.audit = l
	s.telemetry.Audit(l, s.auditedMethods())
	s.lifecycle.Push(&lifecycle.Part{Name: "audit log", Close: func() error { l.Close(); return nil }})
	return nil
}

// auditedMethods returns the methods that write, at Diga or in the ledger.
func (s *Server) auditedMethods() []string {
	names := []string{integrationv1.IntegrationService_BulkCopyTemplate_FullMethodName, digatev1.LedgerService_ResolveCopy_FullMethodName}
	for _, m := range s.contract.Methods() {
		if m.Write && m.Binding != nil {
			names = append(names, m.FullName)
		}
	}
	return names
}

// beforeResolve returns the function that runs before a copy in doubt is settled, or nil
// if there is none.
func (s *Server) beforeResolve() func(context.Context, *digatev1.ResolveCopyRequest) error {
	if s.audit == nil || !s.audit.Required() {
		return nil
	}
	return func(ctx context.Context, req *digatev1.ResolveCopyRequest) error {
		return s.telemetry.BeforeWrite(ctx, digatev1.LedgerService_ResolveCopy_FullMethodName, req)
	}
}

// requestedMethod returns the full gRPC name of the method that a REST request calls. It is empty
// if no route matches.
func requestedMethod(c *contract.Contract, r *http.Request) string {
	if r.URL.Path == gateway.BulkPath && r.Method == http.MethodPost {
		return integrationv1.IntegrationService_BulkCopyTemplate_FullMethodName
	}
	for _, m := range c.Methods() {
		if m.Binding != nil && m.Binding.Verb == r.Method && m.Binding.Match(r.URL.Path) {
			return m.FullName
		}
	}
	return ""
}
