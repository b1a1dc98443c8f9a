package server

import (
	"log/slog"
	"testing"
	"time"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	digatev1 "github.com/digate/digate/gen/digate/v1"
	"github.com/digate/digate/server/authn/passthrough"
	"github.com/digate/digate/server/contract"
	"github.com/digate/digate/server/telemetry"
)

// A graceful stop waits for every stream, so each stream is the contract's, which
// ends by itself, or endless. A method that is not the contract's needs no credential.
func TestEndless_EveryStreamThatIsNotTheContracts(t *testing.T) {
	methods, err := contract.Load(contract.Integration(), contract.Ledger())
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	s := &Server{
		log: log, telemetry: telemetry.New(log, nil, time.Minute), contract: methods, grpc: new(listener),
		authenticator: passthrough.New(func(string) string { return "somebody" }),
	}
	s.intake, s.arrivals = s.newIntake(), s.newArrivals()
	srv := s.newGRPC(integrationv1.UnimplementedIntegrationServiceServer{}, digatev1.UnimplementedLedgerServiceServer{})
	defer srv.Stop()
	others := 0
	for name, info := range srv.GetServiceInfo() {
		for _, m := range info.Methods {
			full := "/" + name + "/" + m.Name
			own, stream := methods.Method(full) != nil, m.IsClientStream || m.IsServerStream
			if contract.Open(full) == own || contract.Endless(full) != (stream && !own) {
				t.Errorf("%s: in the contract is %v, a stream is %v: open is %v, endless is %v",
					full, own, stream, contract.Open(full), contract.Endless(full))
			}
			if !own {
				others++
			}
		}
	}
	if others != 5 {
		t.Errorf("%d methods are not the contract's", others)
	}
}
