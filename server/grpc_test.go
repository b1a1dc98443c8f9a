package server

import (
	"log/slog"
	"testing"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	digatev1 "github.com/digate/digate/gen/digate/v1"
	"github.com/digate/digate/server/authn/passthrough"
	"github.com/digate/digate/server/contract"
	"github.com/digate/digate/server/telemetry"
)

// A graceful stop waits for every stream, so each stream is the contract's, which
// ends by itself, or endless.
func TestEndless_EveryStreamThatIsNotTheContracts(t *testing.T) {
	methods, err := contract.Load(contract.Integration(), contract.Ledger())
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	s := &Server{
		log: log, telemetry: telemetry.New(log, nil), contract: methods, grpc: new(listener),
		authenticator: passthrough.New(func(string) string { return "somebody" }),
	}
	s.intake = s.newIntake()
	srv := s.newGRPC(integrationv1.UnimplementedIntegrationServiceServer{}, digatev1.UnimplementedLedgerServiceServer{})
	defer srv.Stop()
	streams := 0
	for name, info := range srv.GetServiceInfo() {
		for _, m := range info.Methods {
			full := "/" + name + "/" + m.Name
			if !m.IsClientStream && !m.IsServerStream {
				continue
			}
			streams++
			if own := methods.Method(full) != nil; (endless[full] > 0) == own {
				t.Errorf("%s: may be open for %v, in the contract is %v", full, endless[full], own)
			}
		}
	}
	if streams <= len(endless) {
		t.Errorf("only %d streams", streams)
	}
	for full := range endless {
		if !contract.Open(full) {
			t.Errorf("%s needs a credential", full)
		}
	}
}
