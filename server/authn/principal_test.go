package authn_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/digate/digate/server/authn"
	"github.com/digate/digate/server/secret"
)

func TestID_ManyGoroutines_IsComputedOnceAndOnlyWhenAskedFor(t *testing.T) {
	var computed atomic.Int32
	p := authn.NewPrincipal(secret.New("t"), func(token string) string { computed.Add(1); return "holder of " + token })
	ctx := authn.NewContext(t.Context(), p)
	if authn.FromContext(ctx).Token().Reveal() != "t" || computed.Load() != 0 {
		t.Errorf("computed %d times before anybody asked", computed.Load())
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if id, err := authn.ID(ctx); err != nil || id != "holder of t" {
				t.Errorf("got %q, %v", id, err)
			}
		})
	}
	wg.Wait()
	if n := computed.Load(); n != 1 {
		t.Errorf("computed %d times", n)
	}
}

// Callers without an identity would share their records.
func TestID_NoIdentity_Fails(t *testing.T) {
	for name, ctx := range map[string]context.Context{
		"no principal":      t.Context(),
		"only a token":      authn.NewContext(t.Context(), &authn.Principal{Credential: secret.New("t")}),
		"an empty identity": authn.NewContext(t.Context(), authn.NewPrincipal(secret.New("t"), func(string) string { return "" })),
	} {
		if id, err := authn.ID(ctx); err == nil {
			t.Errorf("%s: got %q", name, id)
		}
	}
}
