package peer

import (
	"context"
	"net/http"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/digate/digate/bench/peers/internal/process"
	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
)

// serveGateway serves grpc-gateway as it comes, in front of the tuned facade, which it
// dials. Both are in this process.
func serveGateway(s Settings, c *Control) (process.Serving, error) {
	facade, err := serveTuned(s, c)
	if err != nil {
		return process.Serving{}, err
	}
	config, err := s.clientTLS()
	if err != nil {
		return process.Serving{}, err
	}
	security := insecure.NewCredentials()
	if config != nil {
		security = credentials.NewTLS(config)
	}
	conn, err := grpc.NewClient(facade.GRPC, grpc.WithTransportCredentials(security))
	if err != nil {
		return process.Serving{}, err
	}
	mux := runtime.NewServeMux(
		// Diga's names are those of the .proto.
		runtime.WithMarshalerOption(runtime.MIMEWildcard, &runtime.JSONPb{
			MarshalOptions:   protojson.MarshalOptions{UseProtoNames: true},
			UnmarshalOptions: protojson.UnmarshalOptions{DiscardUnknown: true},
		}),
		runtime.WithForwardResponseOption(func(_ context.Context, w http.ResponseWriter, _ proto.Message) error {
			w.WriteHeader(http.StatusCreated)
			return nil
		}),
	)
	if err := integrationv1.RegisterIntegrationServiceHandler(context.Background(), mux, conn); err != nil {
		return process.Serving{}, err
	}
	addr, err := s.serveHTTP(mux)
	return process.Serving{REST: addr}, err
}
