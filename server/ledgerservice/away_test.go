package ledgerservice_test

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc/status"

	digatev1 "github.com/digate/digate/gen/digate/v1"
	"github.com/digate/digate/server/apierror"
)

// The ledger's own errors may have its address in them, which no caller may read.
func TestService_LedgerIsAway_CallerReadsNothingOfItsErrors(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"Get", "Named", "Resolve"} {
		s := newScene(t)
		s.doubt(t, "a")
		s.upstream.has = append(s.upstream.has, integration(created, template, s.now()))
		s.store.away = func(m string) bool { return m == method }
		s.serve(t)
		_, got := s.GetCopy(t.Context(), &digatev1.GetCopyRequest{RequestId: "a"})
		_, made := s.ResolveCopy(t.Context(), &digatev1.ResolveCopyRequest{
			RequestId: "a", Resolution: &digatev1.ResolveCopyRequest_IntegrationId{IntegrationId: created},
		})
		_, none := s.ResolveCopy(t.Context(), &digatev1.ResolveCopyRequest{
			RequestId: "a", Resolution: &digatev1.ResolveCopyRequest_NotCreated{NotCreated: true},
		})
		for call, c := range map[string]struct {
			err   error
			fails bool
		}{"GetCopy": {got, method != "Resolve"}, "created": {made, true}, "not created": {none, method != "Named"}} {
			if !c.fails {
				if c.err != nil {
					t.Errorf("without %s, %s: %v", method, call, c.err)
				}
				continue
			}
			e := apierror.FromError(c.err)
			wantReason(t, "without "+method+", "+call, e, apierror.ReasonLedgerUnavailable)
			s := status.Convert(c.err)
			if text := fmt.Sprint(s.Message(), s.Details()); strings.Contains(text, "10.1.2.3") || len(s.Details()) == 0 {
				t.Errorf("without %s, %s: the caller reads %s", method, call, text)
			}
		}
	}
}
