package inproc_test

import (
	"context"
	"io"
	"slices"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"

	"github.com/digate/digate/server/inproc"
)

func TestHealth_CheckAndList_Answer(t *testing.T) {
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

func TestHealth_Watch_FollowsUntilCancelled(t *testing.T) {
	onBoth(t, func(t *testing.T, start start) {
		server := health.NewServer()
		client := healthpb.NewHealthClient(start(t, inproc.Options{}, func(r grpc.ServiceRegistrar) {
			healthpb.RegisterHealthServer(r, server)
		}))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		stream, err := client.Watch(ctx, &healthpb.HealthCheckRequest{Service: "digate"})
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []healthpb.HealthCheckResponse_ServingStatus{
			healthpb.HealthCheckResponse_SERVICE_UNKNOWN,
			healthpb.HealthCheckResponse_SERVING,
			healthpb.HealthCheckResponse_NOT_SERVING,
		} {
			if want != healthpb.HealthCheckResponse_SERVICE_UNKNOWN {
				server.SetServingStatus("digate", want)
			}
			got, err := stream.Recv()
			if err != nil || got.GetStatus() != want {
				t.Fatalf("got %v, %v, want %v", got, err, want)
			}
		}
		cancel()
		_, err = stream.Recv()
		wantCode(t, err, codes.Canceled)
	})
}

// catalogue is what the reflection service says is registered.
type catalogue map[string]grpc.ServiceInfo

func (c catalogue) GetServiceInfo() map[string]grpc.ServiceInfo { return c }

func TestReflection_Bidi_AnswersEachRequest(t *testing.T) {
	onBoth(t, func(t *testing.T, start start) {
		server := reflection.NewServerV1(reflection.ServerOptions{Services: catalogue{"grpc.health.v1.Health": {}}})
		client := reflectionpb.NewServerReflectionClient(start(t, inproc.Options{}, func(r grpc.ServiceRegistrar) {
			reflectionpb.RegisterServerReflectionServer(r, server)
		}))
		stream, err := client.ServerReflectionInfo(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		ask := func(r *reflectionpb.ServerReflectionRequest) *reflectionpb.ServerReflectionResponse {
			t.Helper()
			if err := stream.Send(r); err != nil {
				t.Fatal(err)
			}
			answer, err := stream.Recv()
			if err != nil {
				t.Fatal(err)
			}
			return answer
		}
		services := ask(&reflectionpb.ServerReflectionRequest{
			MessageRequest: &reflectionpb.ServerReflectionRequest_ListServices{},
		}).GetListServicesResponse().GetService()
		if !slices.ContainsFunc(services, func(s *reflectionpb.ServiceResponse) bool { return s.GetName() == "grpc.health.v1.Health" }) {
			t.Errorf("services = %v", services)
		}
		files := ask(&reflectionpb.ServerReflectionRequest{
			MessageRequest: &reflectionpb.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: "grpc.health.v1.Health"},
		}).GetFileDescriptorResponse().GetFileDescriptorProto()
		if len(files) == 0 {
			t.Error("no file descriptor")
		}
		missing := ask(&reflectionpb.ServerReflectionRequest{
			MessageRequest: &reflectionpb.ServerReflectionRequest_FileByFilename{FileByFilename: "no/such.proto"},
		}).GetErrorResponse()
		if missing.GetErrorCode() != int32(codes.NotFound) {
			t.Errorf("missing file = %v", missing)
		}
		if err := stream.CloseSend(); err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Recv(); err != io.EOF {
			t.Errorf("after CloseSend: %v, want io.EOF", err)
		}
	})
}
