package main

import (
	"context"
	"errors"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
)

// outputJSON is the value of --output that asks for JSON.
const outputJSON = "json"

// callFlags are those of every command that calls the service.
type callFlags struct {
	Output string `name:"output" short:"o" enum:"text,json" default:"text" help:"text, without secrets, or json, whole."`

	clientFlags `embed:""`
}

// dial returns a client of a running digate, and a context for its calls. A
// server that is not there is reported as a call that failed.
func (c *callFlags) dial(ctx context.Context, std stdio, does effect) (context.Context, integrationv1.IntegrationServiceClient, func(), error) {
	ctx, conn, done, err := c.connect(ctx)
	if errors.As(err, new(*unreachableError)) {
		return nil, nil, nil, fail(std.err, c.Output, does, err)
	}
	if err != nil {
		return nil, nil, nil, err
	}
	return ctx, integrationv1.NewIntegrationServiceClient(conn), done, nil
}
