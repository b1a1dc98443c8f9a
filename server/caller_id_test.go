package server_test

import (
	"context"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"google.golang.org/grpc/codes"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/authn/claim"
	"github.com/digate/digate/server/config"
	"github.com/digate/digate/server/exchange"
)

// withClaim returns settings under which the claim sub of the issuer's tokens names the
// caller.
func withClaim(i *issuer) func(*config.Config) {
	return func(c *config.Config) {
		c.CallerID = claim.Settings{Claim: "sub", Issuer: "https://idp.example", Audience: "digate", Keys: "file://" + i.keys, Algorithms: "EdDSA"}
	}
}

// rotated returns a token of the subject that differs from those with another number.
func (i *issuer) rotated(subject string, n int) string {
	return i.token(subject, time.Now().Add(time.Hour), jwt.MapClaims{"jti": strconv.Itoa(n)})
}

// Diga gets the caller's own token, and a new token forgets no request id, over either
// protocol.
func TestCallerID_TokenIsRotated_RequestIDCountsAndTheNewTokenGoesToDiga(t *testing.T) {
	t.Parallel()
	i, diga := newIssuer(t), newKeyedUpstream(t)
	audit := filepath.Join(t.TempDir(), "audit.log")
	d := start(t, diga.URL, withClaim(i), auditTo(audit, false))
	first, second, other := i.rotated("billing", 1), i.rotated("billing", 2), i.rotated("shop", 1)
	req := &integrationv1.CopyTemplateRequest{TemplateId: accountTemplate, RequestId: "order-1"}
	if _, e := d.copyCtx(withToken(t.Context(), first), req); e != nil {
		t.Fatal(e)
	}
	if got := diga.took(); !slices.Equal(got, []string{first}) {
		t.Fatalf("Diga was called with %d tokens, and not with the caller's own", len(got))
	}
	// The replay is a read of the integration, with the new token. This Diga shows a list
	// for it, so that the caller hears that the copy exists.
	_, e := d.copyCtx(withToken(t.Context(), second), req)
	if e == nil || e.Code != codes.AlreadyExists {
		t.Errorf("a new token of the same caller: %v", e)
	}
	r := d.copyREST(t, accountTemplate, "{}", "Authorization", "Bearer "+second, "Idempotency-Key", "order-1")
	if r.status != http.StatusConflict {
		t.Errorf("REST, a new token of the same caller: %d %s", r.status, r.body)
	}
	if got := diga.took(); !slices.Equal(got, []string{second, second}) {
		t.Errorf("Diga was called with other tokens than the new one: %d", len(got))
	}
	if _, e := d.copyCtx(withToken(t.Context(), other), req); e != nil {
		t.Errorf("another caller with the same request id: %v", e)
	}
	if metric := "digate_issuer_keys_refused 0"; !strings.Contains(d.scrape(t), metric) {
		t.Errorf("the metrics lack %s", metric)
	}
	callers := make(map[string]bool)
	for _, l := range d.audited(t, audit, "end") {
		if callers[l.text("caller")] = true; l["authenticated_by"] != "claim" || strings.Contains(l.text("caller"), "billing") {
			t.Errorf("the audit line %v", l)
		}
	}
	if len(callers) != 2 {
		t.Errorf("the audit log has %d callers", len(callers))
	}
}

// What does not prove who calls goes nowhere.
func TestCallerID_TokenThatIsNotVerified_NeverReachesDiga(t *testing.T) {
	t.Parallel()
	i, stranger, diga := newIssuer(t), newIssuer(t), newKeyedUpstream(t)
	d := start(t, diga.URL, withClaim(i))
	for name, token := range map[string]string{
		"no JWT": "sk-1", "signed by another": stranger.rotated("billing", 1), "without the claim": i.rotated("", 1),
		"expired": i.token("billing", time.Now().Add(-time.Hour)),
	} {
		_, e := d.copyCtx(withToken(t.Context(), token), &integrationv1.CopyTemplateRequest{TemplateId: accountTemplate})
		if e == nil || e.Code != codes.Unauthenticated || e.Reason != apierror.ReasonInvalidCredential || e.Outcome != exchange.NotSent {
			t.Errorf("%s: %v", name, e)
		}
		if r := d.copyREST(t, accountTemplate, "{}", "Authorization", "Bearer "+token); r.status != http.StatusUnauthorized {
			t.Errorf("%s: REST %d %s", name, r.status, r.body)
		}
	}
	if got := diga.took(); len(got) != 0 {
		t.Errorf("Diga was called %d times", len(got))
	}
}

// A limit that Diga set is the caller's: a new token does not lift it.
func TestCallerID_DigaLimitsTheCaller_NewTokenWaitsToo(t *testing.T) {
	t.Parallel()
	i, diga := newIssuer(t), newKeyedUpstream(t)
	d := start(t, diga.URL, withClaim(i))
	first, second := i.rotated("billing", 1), i.rotated("billing", 2)
	diga.mu.Lock()
	diga.limit = first
	diga.mu.Unlock()
	short := func(token string) *apierror.Error {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		_, e := d.copyCtx(withToken(ctx, token), &integrationv1.CopyTemplateRequest{TemplateId: accountTemplate})
		return e
	}
	if e := short(first); e == nil || e.Code != codes.ResourceExhausted {
		t.Fatalf("got %v", e)
	}
	diga.took()
	if e := short(second); e == nil {
		t.Error("a new token lifts the limit")
	}
	if e := short(i.rotated("shop", 1)); e != nil {
		t.Errorf("another caller: %v", e)
	}
	if got := diga.took(); len(got) != 1 {
		t.Errorf("Diga was called %d times", len(got))
	}
}

func TestCallerID_TokenOfAStreamEnds_StreamEndsAtItsNextMessage(t *testing.T) {
	t.Parallel()
	i, diga := newIssuer(t), newKeyedUpstream(t)
	d := start(t, diga.URL, withClaim(i))
	ends := time.Now().Add(-28 * time.Second) // the leeway is half a minute
	stream, err := d.rpc.BulkCopyTemplate(withToken(t.Context(), i.token("billing", ends)))
	must(t, err)
	must(t, stream.Send(item(accountTemplate, "bulk-1")))
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	over := time.NewTimer(time.Until(ends.Add(31 * time.Second)))
	<-over.C
	must(t, stream.Send(item(accountTemplate, "bulk-2")))
	for err == nil {
		_, err = stream.Recv()
	}
	if e := apierror.FromError(err); e.Reason != apierror.ReasonCredentialExpired {
		t.Errorf("got %v", err)
	}
}

// Where a new token is a new caller and records survive, the start says so.
func TestServe_RecordsSurviveAndCallersAreTokens_StartSaysThatANewTokenIsANewCaller(t *testing.T) {
	t.Parallel()
	i, diga := newIssuer(t), newKeyedUpstream(t)
	durable := func(c *config.Config) { c.Ledger.Spec = "sqlite:" + filepath.Join(t.TempDir(), "ledger.db") }
	for name, c := range map[string]struct {
		change []func(*config.Config)
		says   bool
	}{
		"tokens":            {[]func(*config.Config){durable}, true},
		"tokens, in memory": {nil, false},
		"a claim":           {[]func(*config.Config){durable, withClaim(i)}, false},
	} {
		d := start(t, diga.URL, c.change...)
		if got := strings.Contains(d.log.String(), "a new token is a new caller"); got != c.says {
			t.Errorf("%s: %s", name, d.log.String())
		}
	}
}
