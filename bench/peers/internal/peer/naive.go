package peer

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	peersv1 "github.com/digate/digate/bench/peers/gen/peers/v1"
	"github.com/digate/digate/bench/peers/internal/process"
)

// serveNaive serves the facade that is written first: grpc-go, http.Client and
// protojson, each as it comes.
func serveNaive(s Settings, _ *Control) (process.Serving, error) {
	client := http.DefaultClient
	config, err := s.clientTLS()
	if err != nil {
		return process.Serving{}, err
	}
	if config != nil {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.TLSClientConfig = config
		client = &http.Client{Transport: transport}
	}
	return s.serveGRPC(func(server *grpc.Server) {
		peersv1.RegisterIntegrationServiceServer(server, naive{base: s.Upstream, client: client})
	})
}

type naive struct {
	peersv1.UnimplementedIntegrationServiceServer

	base   string
	client *http.Client
}

func (f naive) CopyTemplate(ctx context.Context, in *peersv1.CopyTemplateRequest) (*peersv1.CopyTemplateResponse, error) {
	body, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(&peersv1.CopyTemplateRequest{
		Name: in.Name, ApiKey: in.ApiKey, BaseUrl: in.BaseUrl, Variables: in.GetVariables(),
	})
	if err != nil {
		return nil, err
	}
	url := f.base + "/v1/integration/template/" + in.GetTemplateId() + "/copy"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	md, _ := metadata.FromIncomingContext(ctx)
	for _, value := range md.Get("authorization") {
		req.Header.Set("Authorization", value)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := f.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err = io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusCreated {
		return nil, status.Error(codes.Unknown, fmt.Sprintf("%s: %s", resp.Status, body))
	}
	integration := new(peersv1.Integration)
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(body, integration); err != nil {
		return nil, err
	}
	return &peersv1.CopyTemplateResponse{Integration: integration}, nil
}
