package server_test

import (
	"testing"

	"golang.org/x/net/http2/hpack"
	"google.golang.org/protobuf/proto"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
)

// A message may be sent as it is though the call names an encoding. Its response could
// not be compressed, and the copy would have been made.
func TestEncoding_RefusedAndMessageNotCompressed_NothingIsSent(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	up.will(respond(201, nil, full))
	d := start(t, up.url())
	message, err := proto.Marshal(&integrationv1.CopyTemplateRequest{TemplateId: templateID})
	if err != nil {
		t.Fatal(err)
	}
	raw := dialRaw(t, d.GRPCAddr())
	raw.request(1, copyTemplate, message, hpack.HeaderField{Name: "grpc-encoding", Value: "deflate"})
	if e := raw.verdict(1); e.Reason != apierror.ReasonUnsupportedEncoding || e.Outcome.String() != "NOT_SENT" {
		t.Errorf("unary: %v", e)
	}
	item, err := proto.Marshal(&integrationv1.BulkCopyTemplateRequest{Copy: &integrationv1.CopyTemplateRequest{TemplateId: templateID, RequestId: "a"}})
	if err != nil {
		t.Fatal(err)
	}
	raw.request(3, integrationv1.IntegrationService_BulkCopyTemplate_FullMethodName, item, hpack.HeaderField{Name: "grpc-encoding", Value: "deflate"})
	if e := raw.verdict(3); e.Reason != apierror.ReasonUnsupportedEncoding || e.Outcome.String() != "NOT_SENT" {
		t.Errorf("stream: %v", e)
	}
	up.none(t)
}
