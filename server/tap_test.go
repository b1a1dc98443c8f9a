package server

import (
	"context"
	"log/slog"
	"net"
	"runtime"
	"testing"
	"time"
	"weak"

	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/tap"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/config"
	"github.com/digate/digate/server/peers"
)

// tapped returns the tap handle of a server.
func tapped(t *testing.T) tap.ServerInHandle {
	t.Helper()
	cfg := config.Defaults()
	cfg.MaxWaitingStreams = 256 // of which an address of strangers has 32
	cfg.GRPCAddr, cfg.HTTPAddr, cfg.AdminAddr = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	s, err := New(t.Context(), cfg, Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s.tapHandle()
}

type aKey struct{}

// What gRPC keeps of a call that the tap handle refused lives until the call's
// deadline. That must be soon, and must not be the metadata.
func TestTapHandle_RefusedCall_LeavesNothingBehind(t *testing.T) {
	handle := tapped(t)
	stranger := metadata.Pairs("authorization", "Bearer a-token-of-some-length")
	from := &peer.Peer{Addr: peers.New(&net.TCPAddr{IP: net.IPv4(10, 0, 0, 1)})}
	for range 32 {
		_, _ = handle(peer.NewContext(t.Context(), from), &tap.Info{FullMethodName: integrationv1.IntegrationService_CopyTemplate_FullMethodName, Header: stranger})
	}
	for peers.Courtesy(from.Addr) { // it is shown none any more
		continue
	}
	large := metadata.Pairs("authorization", "Bearer a-token-of-some-length", "x-much", string(make([]byte, 64<<10)))
	for name, c := range map[string]struct {
		header  metadata.MD
		timeout time.Duration
	}{
		"no credential":   {metadata.MD{}, 0},
		"a deadline":      {metadata.MD{}, refusalLifetime / 2},
		"large metadata":  {large, 0},
		"both, no longer": {large, refusalLifetime / 2},
		"no place":        {stranger, 0},
	} {
		held := func() weak.Pointer[[1 << 10]byte] {
			value := new([1 << 10]byte)
			ctx := peer.NewContext(context.Background(), from)
			if c.timeout != 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, c.timeout)
				_ = cancel // as gRPC does
			}
			ctx = context.WithValue(ctx, aKey{}, value) // as the metadata is
			if _, err := handle(ctx, &tap.Info{FullMethodName: integrationv1.IntegrationService_CopyTemplate_FullMethodName, Header: c.header}); err == nil {
				t.Errorf("%s: the call is not refused", name)
			}
			return weak.Make(value)
		}()
		runtime.GC()
		if held.Value() != nil {
			t.Errorf("%s: the call is still in memory", name)
		}
	}
}

func TestTapHandle_RefusedCallWithALaterDeadline_IsRefusedByItsHandler(t *testing.T) {
	handle := tapped(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	if _, err := handle(ctx, &tap.Info{FullMethodName: integrationv1.IntegrationService_CopyTemplate_FullMethodName, Header: metadata.MD{}}); err != nil {
		t.Errorf("gRPC would keep the timer of its deadline: %v", err)
	}
}
