package inproc_test

import (
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/digate/digate/server/inproc"
)

func TestHealth_CheckAndList_Respond(t *testing.T) {
	onBoth(t, func(t *testing.T, start start) {
		server := health.NewServer()
		server.SetServingStatus("digate", healthpb.HealthCheckResponse_NOT_SERVING)
		client := healthpb.NewHealthClient(start(t, inproc.Options{}, func(r grpc.ServiceRegistrar) {
			healthpb.RegisterHealthServer(r, server)
		}))
		got, err := client.Check(t.Context(), &healthpb.HealthCheckRequest{Service: "digate"})
		if err != nil || got.GetStatus() != healthpb.HealthCheckResponse_NOT_SERVING {
			t.Errorf("Check = %v, %v", got, err)
		}
		_, err = client.Check(t.Context(), &healthpb.HealthCheckRequest{Service: "nobody"})
		wantStatus(t, err, codes.NotFound, "unknown service")

		list, err := client.List(t.Context(), &healthpb.HealthListRequest{})
		if err != nil || len(list.GetStatuses()) != 2 || list.GetStatuses()["digate"].GetStatus() != healthpb.HealthCheckResponse_NOT_SERVING {
			t.Errorf("List = %v, %v", list, err)
		}
	})
}
