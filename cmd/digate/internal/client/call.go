// Package client calls a running digate and reports how a call failed.
package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"github.com/digate/digate/cmd/digate/internal/term"
	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/digajson"
	"github.com/digate/digate/server/prefer"
)

// OutputJSON is the value of --output for JSON.
const OutputJSON = "json"

// CallFlags are the flags of a command that makes calls.
type CallFlags struct {
	Output string         `name:"output" short:"o" enum:"text,json" default:"text" help:"text, which leaves secrets out, or json, which is complete."`
	Wait   *time.Duration `name:"wait" group:"Connection:" placeholder:"DURATION" help:"Time that the server may wait before it sends a request to Diga, or sends it again, in whole seconds; 0s for not at all. Default: as long as --timeout permits."`

	Flags `embed:""`
}

// Validate implements kong's hook.
func (f *CallFlags) Validate() error {
	if f.Timeout <= 0 {
		return errors.New("--timeout: must be more than 0")
	}
	if f.Wait != nil && (*f.Wait < 0 || *f.Wait%time.Second != 0) {
		return errors.New("--wait: must be a number of whole seconds, such as 0s or 3s")
	}
	return nil
}

// Dial connects to a running digate and returns a context for calls. If the
// server cannot be reached, Dial reports a failed call with the effect.
func (f *CallFlags) Dial(ctx context.Context, std term.IO, does Effect) (_ context.Context, _ *grpc.ClientConn, done func(), err error) {
	if err := f.ReadToken(ctx, std); err != nil {
		return nil, nil, nil, err
	}
	ctx, conn, done, err := f.Connect(ctx)
	if errors.As(err, new(*UnreachableError)) {
		err = Fail(std.Err, f.Output, does, err)
	}
	if err == nil && f.Wait != nil {
		ctx = metadata.AppendToOutgoingContext(ctx, prefer.Header, fmt.Sprintf("wait=%d", *f.Wait/time.Second))
	}
	return ctx, conn, done, err
}

// DialIntegrations is Dial for calls of the IntegrationService.
func (f *CallFlags) DialIntegrations(ctx context.Context, std term.IO, does Effect) (_ context.Context, _ integrationv1.IntegrationServiceClient, done func(), err error) {
	ctx, conn, done, err := f.Dial(ctx, std, does)
	if err != nil {
		return nil, nil, nil, err
	}
	return ctx, integrationv1.NewIntegrationServiceClient(conn), done, nil
}

// PrintJSON writes a message on one line, in the JSON of Diga's REST API.
func PrintJSON(w io.Writer, m proto.Message) error {
	codec, err := digajson.Compile(m.ProtoReflect().Descriptor())
	if err != nil {
		return err
	}
	b, err := codec.AppendResponse(nil, m)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(w, term.PrintableJSON(b))
	return err
}
