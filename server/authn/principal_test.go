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

// A caller with several accounts has its share of a resource once, and records in each.
func TestPrincipal_CallerWithSeveralAccounts_HasOneKeyAndAnIdentityInEach(t *testing.T) {
	same := func(name string) string { return name }
	in := func(account, caller string) *authn.Principal {
		return authn.NewNamed(&authn.Named{Account: account, Caller: caller}, same)
	}
	acme, globex, none, other := in("acme", "ops"), in("globex", "ops"), in("", "ops"), in("acme", "billing")
	if acme.Key() != globex.Key() || acme.Key() != none.Key() || acme.Key() == other.Key() {
		t.Errorf("keys: %q, %q, %q, another caller's %q", acme.Key(), globex.Key(), none.Key(), other.Key())
	}
	// Earlier versions kept records under these.
	if acme.ID() != "digate\x00acme\x00ops" || globex.ID() != "digate\x00globex\x00ops" || other.ID() != "digate\x00acme\x00billing" {
		t.Errorf("identities: %q, %q, another caller's %q", acme.ID(), globex.ID(), other.ID())
	}
}
