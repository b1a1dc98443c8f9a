package copies

import (
	"context"

	"google.golang.org/protobuf/proto"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/canonical"
	"github.com/digate/digate/server/upstream"
)

// create is a call that creates a resource. It has everything in which the methods
// differ.
type create interface {
	method() Method
	request() request
	// parentID returns the id of the parent resource, for the record.
	parentID() string
	// canonical returns the request without its request id, for the fingerprint.
	canonical() proto.Message
	// response returns an empty response, and a function that returns the resource in the
	// response.
	response() (proto.Message, func() resource)
	// read reads a resource that was created earlier.
	read(ctx context.Context, up Upstream, id string) (resource, error)
	// check returns a function that can refuse the call before it is sent, or nil.
	check() func(context.Context) error
	// name returns a function that returns the name of the resource to create, or an
	// empty string if the name is not known. It returns nil for a call that [Marks] do
	// not apply to.
	name() func(context.Context) (string, error)
}

type request interface {
	proto.Message
	GetRequestId() string
}

// resource is a created integration or tool.
type resource struct {
	id      string
	message proto.Message
}

// copyTemplate creates an integration from a template.
type copyTemplate struct {
	req    *integrationv1.CopyTemplateRequest
	before Before
}

func (c copyTemplate) check() func(context.Context) error { return c.before.Check }

func (c copyTemplate) name() func(context.Context) (string, error) {
	if c.req.Name != nil || c.before.TemplateName == nil {
		return known(c.req.GetName())
	}
	return c.before.TemplateName
}

func (copyTemplate) method() Method             { return CopyTemplate }
func (c copyTemplate) request() request         { return c.req }
func (c copyTemplate) parentID() string         { return c.req.GetTemplateId() }
func (c copyTemplate) canonical() proto.Message { return canonical.Copy(c.req) }

func (copyTemplate) response() (proto.Message, func() resource) {
	resp := new(integrationv1.CopyTemplateResponse)
	return resp, func() resource { return integrationResource(resp.GetIntegration()) }
}

func (copyTemplate) read(ctx context.Context, up Upstream, id string) (resource, error) {
	in, err := getIntegration(ctx, up, id)
	return integrationResource(in), err
}

// createIntegration creates an integration without a template.
type createIntegration struct {
	req *integrationv1.CreateIntegrationRequest
}

func (c createIntegration) name() func(context.Context) (string, error) {
	return known(c.req.GetName())
}

func (createIntegration) check() func(context.Context) error { return nil }
func (createIntegration) method() Method                     { return CreateIntegration }
func (c createIntegration) request() request                 { return c.req }
func (createIntegration) parentID() string                   { return "" }
func (c createIntegration) canonical() proto.Message         { return canonical.Integration(c.req) }

func (createIntegration) response() (proto.Message, func() resource) {
	resp := new(integrationv1.CreateIntegrationResponse)
	return resp, func() resource { return integrationResource(resp.GetIntegration()) }
}

func (createIntegration) read(ctx context.Context, up Upstream, id string) (resource, error) {
	in, err := getIntegration(ctx, up, id)
	return integrationResource(in), err
}

// createTool creates a tool in an integration.
type createTool struct {
	req *integrationv1.CreateToolRequest
}

func (createTool) name() func(context.Context) (string, error) { return nil }

func (createTool) check() func(context.Context) error { return nil }
func (createTool) method() Method                     { return CreateTool }
func (c createTool) request() request                 { return c.req }
func (c createTool) parentID() string                 { return c.req.GetIntegrationId() }
func (c createTool) canonical() proto.Message         { return canonical.Tool(c.req) }

func (createTool) response() (proto.Message, func() resource) {
	resp := new(integrationv1.CreateToolResponse)
	return resp, func() resource { return toolResource(resp.GetTool()) }
}

func (c createTool) read(ctx context.Context, up Upstream, id string) (resource, error) {
	tool, err := getTool(ctx, up, c.req.GetIntegrationId(), id)
	return toolResource(tool), err
}

// known returns a function that returns the name.
func known(name string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return name, nil }
}

func integrationResource(in *integrationv1.Integration) resource { return resource{in.GetId(), in} }

func toolResource(t *integrationv1.Tool) resource {
	id, _ := idAndName(t)
	return resource{id, t}
}

// idAndName returns the id and the name of a tool of any type.
func idAndName(t *integrationv1.Tool) (id, name string) {
	if mcp := t.GetMcp(); mcp != nil {
		return mcp.GetId(), mcp.GetName()
	}
	return t.GetHttp().GetId(), t.GetHttp().GetName()
}

func getIntegration(ctx context.Context, up Upstream, id string) (*integrationv1.Integration, error) {
	var resp integrationv1.GetIntegrationResponse
	err := up.Call(ctx, upstream.Call{
		Method:   integrationv1.IntegrationService_GetIntegration_FullMethodName,
		Request:  &integrationv1.GetIntegrationRequest{IntegrationId: id},
		Response: &resp,
	})
	return resp.GetIntegration(), err
}

func getTool(ctx context.Context, up Upstream, integrationID, id string) (*integrationv1.Tool, error) {
	var resp integrationv1.GetToolResponse
	err := up.Call(ctx, upstream.Call{
		Method:   integrationv1.IntegrationService_GetTool_FullMethodName,
		Request:  &integrationv1.GetToolRequest{IntegrationId: integrationID, ToolId: id},
		Response: &resp,
	})
	return resp.GetTool(), err
}
