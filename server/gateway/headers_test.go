package gateway_test

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/gateway"
	"github.com/digate/digate/server/inproc"
)

// listening is an IntegrationService that keeps the metadata and the deadline of
// its call.
type listening struct {
	integrationv1.UnimplementedIntegrationServiceServer
	called, deadline bool
	got              metadata.MD
}

func (l *listening) CreateIntegration(ctx context.Context, _ *integrationv1.CreateIntegrationRequest) (*integrationv1.CreateIntegrationResponse, error) {
	l.called = true
	l.got, _ = metadata.FromIncomingContext(ctx)
	_, l.deadline = ctx.Deadline()
	_ = grpc.SetTrailer(ctx, metadata.Pairs("x-trailer", "1"))
	return new(integrationv1.CreateIntegrationResponse), grpc.SetHeader(ctx, metadata.Pairs("x-header", "1"))
}

func TestGateway_HeadersOfARequest_DoNotReachTheCall(t *testing.T) {
	t.Parallel()
	l := new(listening)
	channel := inproc.New(inproc.Options{})
	integrationv1.RegisterIntegrationServiceServer(channel, l)
	h, _ := newHandler(t, nil, func(c *gateway.Config) { c.Channel = channel })
	r := httptest.NewRequest(http.MethodPost, "/v1/integration", strings.NewReader(`{}`))
	for name, value := range map[string]string{
		"Authorization": "Bearer t", "Grpc-Timeout": "1H", "Grpc-Metadata-X": "1", "Grpc-Metadata-Y-Bin": "AA==", "Cookie": "c=1",
		"X-HTTP-Method-Override": "GET", "Content-Type": "application/x-www-form-urlencoded", "TE": "trailers", "X-Forwarded-For": "made.up", "X-Forwarded-Host": "made.up",
	} {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if !l.called || l.deadline {
		t.Errorf("called %v, with a deadline %v: %d %s", l.called, l.deadline, w.Code, w.Body)
	}
	for name, values := range l.got {
		t.Errorf("the call has the metadata %q: %q", name, values)
	}
	want := []string{"Content-Length", "Content-Type"}
	if got := slices.Sorted(maps.Keys(w.Result().Header)); !slices.Equal(got, want) {
		t.Errorf("the response has the headers %v, want %v", got, want)
	}
	if got := w.Result().Trailer; len(got) > 0 {
		t.Errorf("the response has the trailers %v", got)
	}
}
