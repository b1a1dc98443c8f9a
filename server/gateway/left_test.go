package gateway_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"google.golang.org/grpc/grpclog"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/gateway"
	"github.com/digate/digate/server/inproc"
)

// left is the response of a client that has left.
type left struct{ *httptest.ResponseRecorder }

func (left) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil // as net/http does
	}
	return 0, errors.New("broken pipe")
}

type reader struct {
	integrationv1.UnimplementedIntegrationServiceServer
}

func (reader) GetIntegration(context.Context, *integrationv1.GetIntegrationRequest) (*integrationv1.GetIntegrationResponse, error) {
	return &integrationv1.GetIntegrationResponse{Integration: &integrationv1.Integration{Id: "an-id"}}, nil
}

func TestREST_ClientThatLeft_IsNoLineOfGRPCsOwnLog(t *testing.T) {
	var log bytes.Buffer
	grpclog.SetLoggerV2(grpclog.NewLoggerV2(io.Discard, io.Discard, &log))
	t.Cleanup(func() { grpclog.SetLoggerV2(grpclog.NewLoggerV2(io.Discard, io.Discard, io.Discard)) })
	h, _ := newHandler(t, nil, func(cfg *gateway.Config) {
		channel := inproc.New(inproc.Options{})
		integrationv1.RegisterIntegrationServiceServer(channel, reader{})
		cfg.Channel = channel
	})
	w := left{httptest.NewRecorder()}
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/integration/3c90c3cc-0d44-4b50-8888-8dd25736052a", nil))
	if w.Code != http.StatusOK || log.Len() > 0 {
		t.Errorf("status %d, and gRPC logged %q", w.Code, log.String())
	}
}
