package server

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	digatev1 "github.com/digate/digate/gen/digate/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/authn"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/gateway"
)

// A method of the contract that the server lacks was not sent, on either protocol.
func TestMethodOfTheContractThatTheServerLacks_IsNotSent(t *testing.T) {
	s, conn := withServices(t, slog.New(slog.DiscardHandler), integrationv1.UnimplementedIntegrationServiceServer{})
	ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer t")
	_, unary := integrationv1.NewIntegrationServiceClient(conn).GetIntegration(ctx, new(integrationv1.GetIntegrationRequest))
	_, ledger := digatev1.NewLedgerServiceClient(conn).GetCopy(ctx, new(digatev1.GetCopyRequest))
	stream, err := integrationv1.NewIntegrationServiceClient(conn).BulkCopyTemplate(ctx)
	if err != nil {
		t.Fatal(err)
	}
	_, streamed := stream.Recv()
	for name, err := range map[string]error{"unary": unary, "ledger": ledger, "stream": streamed} {
		e := apierror.FromError(err)
		if e.Code != codes.Unimplemented || e.Reason != apierror.ReasonUnknownMethod || e.Outcome != exchange.NotSent {
			t.Errorf("%s: %v", name, err)
		}
	}

	h, err := gateway.New(s.gatewayConfig(s.newChannel(integrationv1.UnimplementedIntegrationServiceServer{})))
	if err != nil {
		t.Fatal(err)
	}
	principal, err := s.authenticator.Authenticate(t.Context(), authn.Request{Authorization: []string{"Bearer t"}})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(authn.NewContext(context.Background(), principal), http.MethodGet, "/v1/integration/3c90c3cc-0d44-4b50-8888-8dd25736052a", nil)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != http.StatusNotImplemented || w.Header().Get(apierror.OutcomeHeader) != "NOT_SENT" || !strings.Contains(w.Body.String(), apierror.ReasonUnknownMethod) {
		t.Errorf("REST: %d %v %s", w.Code, w.Header(), w.Body)
	}
}
