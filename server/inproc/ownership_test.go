package inproc_test

import (
	"context"
	"errors"
	"testing"

	"google.golang.org/grpc"

	"github.com/digate/digate/server/inproc"
)

func TestCall_Messages_AreTheServicesOwn(t *testing.T) {
	var received, sent *text
	c := inproc.New(inproc.Options{})
	(&service{unary: func(_ context.Context, in *text) (any, error) {
		received, sent = in, say("out")
		return sent, nil
	}}).register(c)
	var made any
	response, _, err := c.Call(t.Context(), unaryMethod, func(request any) error {
		made = request
		return nil
	})
	if err != nil || made != received || response != sent {
		t.Errorf("filled in %p, the handler got %p; it returned %p, the caller got %p: %v", made, received, sent, response, err)
	}
}

func TestCall_RequestThatIsRefused_IsSeenByNobody(t *testing.T) {
	s := &service{unary: func(context.Context, *text) (any, error) { t.Error("handler called"); return nil, nil }}
	seen := func(context.Context, any, *grpc.UnaryServerInfo, grpc.UnaryHandler) (any, error) {
		t.Error("interceptor called")
		return nil, nil
	}
	c := inproc.New(inproc.Options{Unary: []grpc.UnaryServerInterceptor{seen}})
	s.register(c)
	refused := errors.New("no such field")
	if _, _, err := c.Call(t.Context(), unaryMethod, func(any) error { return refused }); err != refused {
		t.Errorf("got %v, want the very error", err)
	}
}
