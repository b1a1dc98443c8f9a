package server

import (
	"errors"
	"testing"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	digatev1 "github.com/digate/digate/gen/digate/v1"
	"github.com/digate/digate/server/authn"
	"github.com/digate/digate/server/callers"
	"github.com/digate/digate/server/contract"
	"github.com/digate/digate/server/secret"
)

// Only what Diga itself said yes to makes a caller known: the ledger responds to
// every token.
func TestKnowCaller_OnlyASuccessOfDigas_MakesTheCallerKnown(t *testing.T) {
	for name, c := range map[string]struct {
		method string
		err    error
		want   bool
	}{
		"Diga's success":       {integrationv1.IntegrationService_ListIntegrations_FullMethodName, nil, true},
		"Diga's failure":       {integrationv1.IntegrationService_ListIntegrations_FullMethodName, errors.New("no"), false},
		"the ledger's success": {digatev1.LedgerService_GetLedger_FullMethodName, nil, false},
		"no method":            {"/x.Y/Z", nil, false},
	} {
		methods, err := contract.Load(contract.Integration())
		if err != nil {
			t.Fatal(err)
		}
		s := &Server{contract: methods}
		s.callers = callers.New()
		ctx := authn.NewContext(t.Context(), &authn.Principal{Credential: secret.New("token")})
		if _, err := s.rememberAccepted(ctx, c.method, nil, c.err); !errors.Is(err, c.err) {
			t.Errorf("%s: got %v", name, err)
		}
		if got := s.isKnown(ctx); got != c.want {
			t.Errorf("%s: known %v, want %v", name, got, c.want)
		}
	}
}
