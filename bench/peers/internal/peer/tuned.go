package peer

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/digate/digate/bench/peers/internal/process"
	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/digajson"
)

// serveTuned serves a facade that does one copy and nothing else, as quickly as
// grpc-go and net/http allow: a large pool of idle connections, a request of its own
// through RoundTrip, a codec compiled from the descriptors (digate's). It
// authenticates, validates, bounds, logs and measures nothing.
func serveTuned(s Settings, _ *Control) (process.Serving, error) {
	request, err := digajson.Compile((&integrationv1.CopyTemplateRequest{}).ProtoReflect().Descriptor(), digajson.Exclude("template_id"))
	if err != nil {
		return process.Serving{}, err
	}
	response, err := digajson.Compile((&integrationv1.Integration{}).ProtoReflect().Descriptor())
	if err != nil {
		return process.Serving{}, err
	}
	transport, err := s.transport()
	if err != nil {
		return process.Serving{}, err
	}
	base, err := url.Parse(s.Upstream)
	if err != nil {
		return process.Serving{}, err
	}
	return s.serveGRPC(func(server *grpc.Server) {
		integrationv1.RegisterIntegrationServiceServer(server, tuned{base: base, transport: transport, request: request, response: response})
	})
}

type tuned struct {
	integrationv1.UnimplementedIntegrationServiceServer

	base              *url.URL
	transport         *http.Transport
	request, response *digajson.Codec
}

var contentJSON = []string{"application/json"}

func (f tuned) CopyTemplate(ctx context.Context, in *integrationv1.CopyTemplateRequest) (*integrationv1.CopyTemplateResponse, error) {
	body, err := f.request.AppendRequest(make([]byte, 0, 512), in)
	if err != nil {
		return nil, err
	}
	credential := metadata.ValueFromIncomingContext(ctx, "authorization")
	if len(credential) != 1 {
		return nil, status.Error(codes.Unauthenticated, "no credential")
	}
	req := http.Request{
		Method: http.MethodPost, Host: f.base.Host, ProtoMajor: 1, ProtoMinor: 1,
		URL:    &url.URL{Scheme: f.base.Scheme, Host: f.base.Host, Path: "/v1/integration/template/" + in.GetTemplateId() + "/copy"},
		Header: http.Header{"Content-Type": contentJSON, "Authorization": credential},
		Body:   io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
	}
	resp, err := f.transport.RoundTrip(req.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	got, err := read(resp)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusCreated {
		return nil, status.Error(codes.Unknown, fmt.Sprintf("%s: %s", resp.Status, got))
	}
	integration := new(integrationv1.Integration)
	if _, err := f.response.UnmarshalResponse(got, integration); err != nil {
		return nil, err
	}
	return &integrationv1.CopyTemplateResponse{Integration: integration}, nil
}

// read returns the body, in one buffer if its length is known.
func read(resp *http.Response) ([]byte, error) {
	if resp.ContentLength < 0 {
		return io.ReadAll(resp.Body)
	}
	body := make([]byte, resp.ContentLength)
	_, err := io.ReadFull(resp.Body, body)
	return body, err
}
