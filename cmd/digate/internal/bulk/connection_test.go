package bulk

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// failing fails the handshakes that it is told to.
type failing struct {
	credentials.TransportCredentials
	err error
}

func (f *failing) ClientHandshake(ctx context.Context, authority string, raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	if f.err != nil {
		return nil, nil, f.err
	}
	return f.TransportCredentials.ClientHandshake(ctx, authority, raw)
}

func (f *failing) Clone() credentials.TransportCredentials { return f }

// A second connection could lead to another server with another ledger.
func TestOneConnection_SecondOne_IsRefused(t *testing.T) {
	t.Parallel()
	near, far := net.Pipe()
	t.Cleanup(func() { _ = near.Close(); _ = far.Close() })
	inner := &failing{insecure.NewCredentials(), errors.New("not yet")}
	one := &oneConnection{inner, new(atomic.Bool)}
	handshake := func(c credentials.TransportCredentials) error {
		_, _, err := c.ClientHandshake(t.Context(), "authority", near)
		return err
	}
	if err := handshake(one); !errors.Is(err, inner.err) {
		t.Errorf("got %v", err)
	}
	inner.err = nil
	if err := handshake(one.Clone()); err != nil {
		t.Errorf("after a handshake that failed: got %v", err)
	}
	if err := handshake(one); err == nil {
		t.Error("a second connection was made")
	}
	if err := handshake(one.Clone()); err == nil {
		t.Error("a second connection was made by a clone")
	}
}
