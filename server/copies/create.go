package copies

import (
	"context"

	"google.golang.org/protobuf/proto"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/canonical"
	"github.com/digate/digate/server/upstream"
)

// create is a call that creates a resource: all that differs between one kind of
// create and the next.
type create interface {
	// method returns the full gRPC name of the call.
	method() string
	requestID() string
	// templateID returns the template that the record names.
	templateID() string
	// canonical returns the request as its fingerprint covers it, without its id.
	canonical() proto.Message
	// send creates the resource; beforeSend is [upstream.Call]'s.
	send(ctx context.Context, up Upstream, beforeSend func() (context.Context, error)) (resource, error)
	// read returns a resource that was created before.
	read(ctx context.Context, up Upstream, id string) (resource, error)
}

// resource is what a create makes.
type resource interface {
	proto.Message
	GetId() string
}

// copyTemplate creates an integration from a template.
type copyTemplate struct {
	req *integrationv1.CopyTemplateRequest
}

var _ create = copyTemplate{}

func (copyTemplate) method() string {
	return integrationv1.IntegrationService_CopyTemplate_FullMethodName
}
func (c copyTemplate) requestID() string  { return c.req.GetRequestId() }
func (c copyTemplate) templateID() string { return c.req.GetTemplateId() }

func (c copyTemplate) canonical() proto.Message { return canonical.Copy(c.req) }

func (c copyTemplate) send(ctx context.Context, up Upstream, beforeSend func() (context.Context, error)) (resource, error) {
	var resp integrationv1.CopyTemplateResponse
	err := up.Call(ctx, upstream.Call{Method: c.method(), Request: c.req, Response: &resp, BeforeSend: beforeSend})
	return resp.GetIntegration(), err
}

func (c copyTemplate) read(ctx context.Context, up Upstream, id string) (resource, error) {
	var resp integrationv1.GetIntegrationResponse
	err := up.Call(ctx, upstream.Call{
		Method:   integrationv1.IntegrationService_GetIntegration_FullMethodName,
		Request:  &integrationv1.GetIntegrationRequest{IntegrationId: id},
		Response: &resp,
	})
	return resp.GetIntegration(), err
}
