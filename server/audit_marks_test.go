package server_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"google.golang.org/grpc/codes"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	digatev1 "github.com/digate/digate/gen/digate/v1"
	"github.com/digate/digate/server/apierror"
)

// lostCopy leaves a copy with a mark in doubt, and returns its request and what it created.
func (s *createScene) lostCopy(t *testing.T, requestID string) (req *integrationv1.CopyTemplateRequest, made string) {
	t.Helper()
	req = &integrationv1.CopyTemplateRequest{TemplateId: resetAfter, Name: new("asked"), RequestId: requestID}
	if _, err := s.copyRPC(t, req); err == nil || err.Outcome.String() != "UNKNOWN" {
		t.Fatal(err)
	}
	marked := s.named(hasMark)
	if len(marked) != 1 {
		t.Fatalf("%v are marked", marked)
	}
	return req, marked[0]
}

// linesOfKind returns the lines of a kind.
func linesOfKind(lines []auditLine, kind string) []auditLine {
	return slices.DeleteFunc(slices.Clone(lines), func(l auditLine) bool { return l["kind"] != kind })
}

// A doubt that a mark settles has a line, whether a copy is repeated or a record is shown,
// and so has the rename that follows. Both name the record.
func TestAudit_MarkSettlesADoubt_HasALine(t *testing.T) {
	t.Parallel()
	for what, settle := range map[string]func(s *createScene, req *integrationv1.CopyTemplateRequest) error{
		"repeated": func(s *createScene, req *integrationv1.CopyTemplateRequest) error {
			_, err := s.rpc.CopyTemplate(s.ctx(t), req)
			return err
		},
		"shown": func(s *createScene, req *integrationv1.CopyTemplateRequest) error {
			_, err := s.records.GetCopy(s.ctx(t), &digatev1.GetCopyRequest{RequestId: req.GetRequestId()})
			return err
		},
	} {
		for _, required := range []bool{false, true} {
			path := filepath.Join(t.TempDir(), "audit.log")
			s := newCreateScene(t, marking, auditTo(path, required))
			req, made := s.lostCopy(t, "lost")
			must(t, settle(s, req))
			ends, begins := s.audited(t, path, "end"), s.audited(t, path, "begin")
			lost := ends[slices.IndexFunc(ends, func(l auditLine) bool { return l["outcome"] == "UNKNOWN" })]
			ends = slices.DeleteFunc(ends, func(l auditLine) bool { return l["integration_id"] != made })
			settled, renamed := linesOfKind(ends, "settlement"), linesOfKind(ends, "rename")
			if len(settled) != 1 || len(renamed) != 1 {
				t.Fatalf("%s: %v", what, ends)
			}
			if got, want := short(settled, "integration_id", "attempts"), "settlement grpc ResolveCopy OK NOT_APPLICABLE "+made+" 0"; got != want {
				t.Errorf("%s: got %s, want %s", what, got, want)
			}
			if got, want := short(renamed, "upstream_status", "integration_id"), "rename grpc UpdateIntegration OK DONE 200 "+made; got != want {
				t.Errorf("%s: got %s, want %s", what, got, want)
			}
			for _, l := range []auditLine{settled[0], renamed[0]} {
				if l["ledger_record"] == nil || l["ledger_record"] != lost["ledger_record"] || l["caller"] == nil || l["caller"] != lost["caller"] || l["authenticated_by"] != "passthrough" {
					t.Errorf("%s: %v", what, l)
				}
				if begun := slices.ContainsFunc(begins, func(b auditLine) bool {
					return b["write"] == l["write"] && b["integration_id"] == made && b["ledger_record"] == l["ledger_record"]
				}); begun != required {
					t.Errorf("%s, required %v: begun %v", what, required, begun)
				}
			}
		}
	}
}

// Where the audit log is required and cannot be written, a doubt stays one, and what has
// its mark keeps it. Callers see both.
func TestAudit_RequiredAndNotWritten_MarkSettlesNoDoubt(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "audit.log")
	s := newCreateScene(t, marking, auditTo(path, true))
	req, made := s.lostCopy(t, "lost")
	must(t, errors.Join(os.Rename(path, path+".1"), os.Mkdir(path, 0o700)))
	if _, err := s.copyRPC(t, req); err == nil || err.Code != codes.Aborted || !slices.Equal(err.IntegrationIDs, []string{made}) {
		t.Errorf("repeated: %v", err)
	}
	got, err := s.records.GetCopy(s.ctx(t), &digatev1.GetCopyRequest{RequestId: "lost"})
	if c := got.GetCopy(); err != nil || c.GetState() != digatev1.Copy_STATE_UNKNOWN || len(c.GetCandidates()) != 1 || c.GetCandidates()[0].GetIntegrationId() != made {
		t.Errorf("shown: %v %v", got, err)
	}
	if marked := s.named(hasMark); len(marked) != 1 {
		t.Errorf("%v are marked", marked)
	}
	must(t, os.Remove(path))
	s.log.await(t, 1, `"msg":"the audit log can be written again"`)
	if in, err := s.copyRPC(t, req); err != nil || in.GetId() != made || in.GetName() != "asked" {
		t.Errorf("%v %v", in, err)
	}
	refused := 0
	settled := linesOfKind(s.audited(t, path, "end"), "settlement")
	for _, l := range settled {
		if l["reason"] == apierror.ReasonAuditUnavailable && l["outcome"] == "NOT_APPLICABLE" {
			refused++
		}
	}
	if len(settled) != 3 || refused != 2 {
		t.Errorf("%d of %d were refused", refused, len(settled))
	}
}
