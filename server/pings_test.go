package server_test

import (
	"net"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/protobuf/proto"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
)

// A client that pings every two seconds must keep its connection, and with it the
// verdicts of its calls.
func TestGRPC_ClientThatPingsEveryTwoSeconds_GetsItsVerdict(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	d := start(t, up.url())
	release := make(chan struct{})
	up.will(func(c net.Conn, s sent) bool { <-release; return respond(201, nil, full)(c, s) })
	message, err := proto.Marshal(&integrationv1.CopyTemplateRequest{TemplateId: templateID})
	if err != nil {
		t.Fatal(err)
	}
	f := dialRaw(t, d.GRPCAddr())
	f.request(1, copyTemplate, message)
	// gRPC forgives two pings that come too early, so the fourth tells.
	ticks := time.NewTicker(2 * time.Second)
	defer ticks.Stop()
	for i := range byte(4) {
		if i > 0 {
			<-ticks.C
		}
		if err := f.WritePing(false, [8]byte{i}); err != nil {
			t.Fatal(err)
		}
		for acked := false; !acked; {
			frame, err := f.ReadFrame()
			if err != nil {
				t.Fatalf("after %d pings: %v", i, err)
			}
			switch frame := frame.(type) {
			case *http2.PingFrame:
				acked = frame.IsAck() && frame.Data[0] == i
			case *http2.GoAwayFrame:
				t.Fatalf("after %d pings: %v", i, frame)
			}
		}
	}
	close(release)
	if code := trailerOf(f.end(1), "grpc-status"); code != "0" {
		t.Errorf("the call ended with %s", code)
	}
}

// A client that pings more often than every second loses its connection.
func TestGRPC_ClientThatPingsWithoutEnd_LosesItsConnection(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	d := start(t, up.url())
	f := dialRaw(t, d.GRPCAddr())
	for i := range byte(10) { // of which gRPC forgives two
		_ = f.WritePing(false, [8]byte{i})
	}
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			t.Fatalf("the connection ended without a reason: %v", err)
		}
		if goaway, ok := frame.(*http2.GoAwayFrame); ok {
			if goaway.ErrCode != http2.ErrCodeEnhanceYourCalm || string(goaway.DebugData()) != "too_many_pings" {
				t.Errorf("%v %q", goaway.ErrCode, goaway.DebugData())
			}
			return
		}
	}
}

// trailerOf returns the value of a field.
func trailerOf(h *http2.MetaHeadersFrame, name string) string {
	for _, f := range h.Fields {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}
