package client

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/digate/digate/server/authn"
)

// maxResponse bounds a response, in bytes. A page can be larger than gRPC's
// default limit.
const maxResponse = 64 << 20

// UnreachableError says that no connection could be made, and so no call was
// begun.
type UnreachableError struct {
	text   string
	advice string // what to do, "" for nothing in particular
}

func (e *UnreachableError) Error() string { return e.text }

// Advice says what to do. It is empty for nothing in particular.
func (e *UnreachableError) Advice() string { return e.advice }

// Connect returns an established connection, and a context with the credential
// and the deadline. The connection is made before any call, which tells a server
// that cannot be reached (an [UnreachableError]) from a connection that was lost
// during a call. done closes the connection and releases the context.
func (f *Flags) Connect(ctx context.Context, more ...grpc.DialOption) (_ context.Context, _ *grpc.ClientConn, done func(), err error) {
	authorization, err := f.authorization(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	if err := f.checkAddr(); err != nil {
		return nil, nil, nil, err
	}
	creds, err := f.Credentials()
	if err != nil {
		return nil, nil, nil, err
	}
	through, err := proxy(f.Addr)
	if err != nil {
		return nil, nil, nil, err
	}
	conn, err := grpc.NewClient(f.Addr, append([]grpc.DialOption{
		grpc.WithTransportCredentials(creds), grpc.WithDisableServiceConfig(),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxResponse)),
	}, more...)...)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("--addr: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, f.Timeout)
	done = func() { cancel(); _ = conn.Close() }
	conn.Connect()
	for state := conn.GetState(); state != connectivity.Ready; state = conn.GetState() {
		if state == connectivity.TransientFailure || !conn.WaitForStateChange(ctx, state) {
			at := f.Addr
			if through != nil {
				at += " through the proxy " + through.Host + " (HTTPS_PROXY)"
			}
			why := whyNotReady(ctx, conn)
			if through == nil && ctx.Err() == nil {
				why = f.whyNoTLS(ctx, why)
			}
			err := unreachable(at, why)
			done()
			return nil, nil, nil, err
		}
	}
	if authorization != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", authorization)
	}
	if f.Account != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, authn.AccountKey, f.Account)
	}
	return ctx, conn, done, nil
}

// whyNotReady returns why no connection could be made. gRPC tells the reason only
// to a call, so whyNotReady makes one that changes nothing.
func whyNotReady(ctx context.Context, conn *grpc.ClientConn) string {
	if ctx.Err() != nil {
		return map[bool]string{true: "interrupted", false: "timed out"}[errors.Is(ctx.Err(), context.Canceled)]
	}
	_, err := healthv1.NewHealthClient(conn).Check(ctx, &healthv1.HealthCheckRequest{})
	text := status.Convert(err).Message()
	if _, quoted, ok := strings.Cut(text, "desc = "); ok {
		if inner, err := strconv.Unquote(quoted); err == nil {
			text = inner
		}
	}
	return strings.TrimPrefix(strings.TrimPrefix(text, "transport: "), "Error while dialing: ")
}
