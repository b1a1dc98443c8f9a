package client_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/structpb"

	integrationv1 "github.com/digate/digate/client/go/diga/integration/v1"
)

// address is the gRPC address of digate; `digate dev` uses 127.0.0.1:9090.
var address string

// outcome returns what happened on Diga's side when a call failed: NOT_SENT,
// REJECTED, DONE or UNKNOWN. An error without an outcome does not come from
// digate: the connection was lost, or a proxy failed the call. It counts as UNKNOWN.
func outcome(err error) string {
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok && info.GetMetadata()["outcome"] != "" {
			return info.GetMetadata()["outcome"]
		}
	}
	return "UNKNOWN"
}

func Example() {
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	client := integrationv1.NewIntegrationServiceClient(conn)

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer dev")

	name, key := "my shop", "k-123"
	variables, err := structpb.NewStruct(map[string]any{"shop": "acme"})
	if err != nil {
		log.Fatal(err)
	}
	for _, template := range []string{
		"3c90c3cc-0d44-4b50-8888-8dd25736052a",
		"99999999-9999-4999-8999-999999999999", // there is no such template
		"00000000-0000-4000-8000-000000000603", // the connection breaks after the copy was made
	} {
		response, err := client.CopyTemplate(ctx, &integrationv1.CopyTemplateRequest{
			TemplateId: template, Name: &name, ApiKey: &key, Variables: variables,
		})
		if err == nil {
			fmt.Printf("made %s\n", response.GetIntegration().GetName())
			continue
		}
		switch outcome(err) {
		case "NOT_SENT":
			fmt.Printf("%s: not sent, call again\n", status.Code(err))
		case "REJECTED":
			fmt.Printf("%s: Diga refused, nothing was made\n", status.Code(err))
		default:
			fmt.Printf("%s: the copy may have been made; look before you call again\n", status.Code(err))
		}
	}

	// Output:
	// made my shop
	// NotFound: Diga refused, nothing was made
	// Unknown: the copy may have been made; look before you call again
}
