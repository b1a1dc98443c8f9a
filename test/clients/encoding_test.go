package clients

import (
	"io"
	"net/http"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	_ "google.golang.org/grpc/encoding/gzip" // a call beside those that are refused has it
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
)

// ownEncoding is an encoding of which no server knows the name. It changes nothing.
type ownEncoding struct{}

func (ownEncoding) Name() string { return "own" }

func (ownEncoding) Compress(w io.Writer) (io.WriteCloser, error) { return open{w}, nil }

func (ownEncoding) Decompress(r io.Reader) (io.Reader, error) { return r, nil }

type open struct{ io.Writer }

func (open) Close() error { return nil }

// An encoding of which gRPC does not know the name is refused with a verdict, each time
// on a connection. grpc-go can have one; its server is another process, which does not.
func TestOwnEncoding_IsRefused_NotSent(t *testing.T) {
	t.Parallel()
	up := newUpstream(t, func(w http.ResponseWriter, _ *http.Request, _ int) { integration(w, "d") })
	d := serve(t, up.URL)
	conn, err := grpc.NewClient(d.GRPC, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	client := integrationv1.NewIntegrationServiceClient(conn)
	ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+token)
	refused := func(err error) {
		t.Helper()
		s := status.Convert(err)
		for _, detail := range s.Details() {
			if info, ok := detail.(*errdetails.ErrorInfo); ok && s.Code() == codes.Unimplemented && info.GetReason() == "UNSUPPORTED_ENCODING" && info.GetMetadata()["outcome"] == "NOT_SENT" {
				return
			}
		}
		t.Errorf("got %v with %v", err, s.Details())
	}
	for range 3 {
		_, err := client.CopyTemplate(ctx, copyOf(), grpc.UseCompressor("own"))
		refused(err)
		stream, err := client.BulkCopyTemplate(ctx, grpc.UseCompressor("own"))
		if err != nil {
			t.Fatal(err)
		}
		_ = stream.Send(&integrationv1.BulkCopyTemplateRequest{Copy: copyOf()})
		_, err = stream.Recv()
		refused(err)
		if _, err := client.CopyTemplate(ctx, copyOf(), grpc.UseCompressor("gzip")); err != nil {
			t.Errorf("a call beside them: %v", err)
		}
	}
	if n := up.requests.Load(); n != 3 {
		t.Errorf("%d requests reached Diga", n)
	}
}
