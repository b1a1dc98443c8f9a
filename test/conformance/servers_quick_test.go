package conformance

import (
	"bytes"
	"context"
	"net"
	"strconv"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	conformancev1 "github.com/digate/digate/test/conformance/gen/connectrpc/conformance/v1"
)

// The servers serve the suite's service as the suite starts them, without the suite.
func TestServers_StartedAsTheSuiteDoes_RespondAsTheRequestSays(t *testing.T) {
	for _, kind := range []string{digate, bare, inprocess} {
		t.Run(kind, func(t *testing.T) {
			conn := dialServer(t, kind)
			client := conformancev1.NewConformanceServiceClient(conn)
			var header, trailer metadata.MD
			resp, err := client.Unary(t.Context(), &conformancev1.UnaryRequest{ResponseDefinition: &conformancev1.UnaryResponseDefinition{
				ResponseHeaders:  []*conformancev1.Header{{Name: "X-Head", Value: []string{"h"}}},
				ResponseTrailers: []*conformancev1.Header{{Name: "X-Trail-Bin", Value: []string{"AAE="}}},
				Response:         &conformancev1.UnaryResponseDefinition_ResponseData{ResponseData: []byte("data")},
			}}, grpc.Header(&header), grpc.Trailer(&trailer))
			if err != nil || string(resp.GetPayload().GetData()) != "data" || len(resp.GetPayload().GetRequestInfo().GetRequests()) != 1 {
				t.Errorf("unary: %v, %v", resp, err)
			}
			if header.Get("x-head")[0] != "h" || trailer.Get("x-trail-bin")[0] != "\x00\x01" {
				t.Errorf("header %v, trailer %v", header, trailer)
			}
			ss, err := client.ServerStream(t.Context(), &conformancev1.ServerStreamRequest{ResponseDefinition: &conformancev1.StreamResponseDefinition{
				ResponseData: [][]byte{[]byte("one"), []byte("two")},
				Error:        &conformancev1.Error{Code: conformancev1.Code_CODE_ABORTED, Message: proto.String("enough")},
			}})
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range []string{"one", "two"} {
				if resp, err := ss.Recv(); err != nil || string(resp.GetPayload().GetData()) != want {
					t.Errorf("stream: %v, %v, want %s", resp, err, want)
				}
			}
			if _, err := ss.Recv(); status.Code(err) != codes.Aborted {
				t.Errorf("the stream ends with %v", err)
			}
		})
	}
}

// dialServer starts a server as the suite asks for it, and returns a connection.
func dialServer(t *testing.T, kind string) *grpc.ClientConn {
	t.Helper()
	var in bytes.Buffer
	if err := writeMessage(&in, &conformancev1.ServerCompatRequest{Protocol: conformancev1.Protocol_PROTOCOL_GRPC, HttpVersion: conformancev1.HTTPVersion_HTTP_VERSION_2}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	told, out := net.Pipe()
	go func() { ended <- serveAsAsked(ctx, kind, &in, out) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	var addr conformancev1.ServerCompatResponse
	if err := readMessage(told, &addr); err != nil {
		t.Fatal(err)
	}
	conn, err := grpc.NewClient(net.JoinHostPort(addr.GetHost(), strconv.Itoa(int(addr.GetPort()))), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}
