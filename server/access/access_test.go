package access_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	digatev1 "github.com/digate/digate/gen/digate/v1"
	"github.com/digate/digate/server/access"
	"github.com/digate/digate/server/accounts"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/authn"
	"github.com/digate/digate/server/contract"
	"github.com/digate/digate/server/exchange"
)

const (
	templateID = "3f2c1a90-8f43-4b6e-9d53-0a4f6c1b2d77"
	otherID    = "00000000-0000-4000-8000-000000000001"

	copyMethod = integrationv1.IntegrationService_CopyTemplate_FullMethodName
	bulkMethod = integrationv1.IntegrationService_BulkCopyTemplate_FullMethodName
	listMethod = integrationv1.IntegrationService_ListTemplates_FullMethodName
)

const file = `accounts:
  acme: {token: "file://TOKEN"}
callers:
  free:
    identities: [{dns: free.example}]
    allow: [{accounts: ["*"], methods: ["*"]}]
  bound:
    identities: [{dns: bound.example}]
    allow:
      - {accounts: [acme], methods: [CopyTemplate, BulkCopyTemplate], templates: ["` + templateID + `"]}
  single:
    identities: [{dns: single.example}]
    allow: [{accounts: ["*"], methods: [CopyTemplate]}]
  daily:
    identities: [{dns: daily.example}]
    copies_per_day: 1
    allow: [{accounts: ["*"], methods: ["*"]}]
  slow:
    identities: [{dns: slow.example}]
    requests_per_second: 1
    allow: [{accounts: ["*"], methods: ["*"]}]
`

// silent is told nothing.
type silent struct{}

func (silent) AccountsLoaded(*accounts.Set, accounts.Status) {}
func (silent) AccountsRefused(error)                         {}
func (silent) TokenRead(string)                              {}
func (silent) TokenRefused(string, error)                    {}

// newAccess returns the access to what the file allows, of which nothing is used.
func newAccess(t *testing.T) *access.Access {
	t.Helper()
	dir := t.TempDir()
	path, token := filepath.Join(dir, "accounts.yaml"), filepath.Join(dir, "token")
	for name, text := range map[string]string{path: strings.ReplaceAll(file, "TOKEN", token), token: "a-token"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	store, err := accounts.Open(path, nil, silent{})
	if err != nil {
		t.Fatal(err)
	}
	methods, err := contract.Load(contract.Integration(), contract.Ledger())
	if err != nil {
		t.Fatal(err)
	}
	return &access.Access{Store: store, Meter: accounts.NewMeter(), Contract: methods}
}

// as returns the context of a call of a caller of acme, with an exchange.
func as(ctx context.Context, caller string) context.Context {
	ctx, _ = exchange.NewContext(authn.NewContext(ctx, authn.NewNamed(&authn.Named{Account: "acme", Caller: caller}, nil)))
	return ctx
}

// call makes a unary call that has this error where it reaches the service, and returns
// whether it did, and its error.
func call(ctx context.Context, a *access.Access, method string, req any, result error) (served bool, _ *apierror.Error) {
	_, err := a.Unary(ctx, req, &grpc.UnaryServerInfo{FullMethod: method}, func(context.Context, any) (any, error) {
		served = true
		return nil, result
	})
	if err == nil {
		return served, nil
	}
	return served, apierror.FromError(err)
}

// copyOf is a request for a copy.
func copyOf(template string) *integrationv1.CopyTemplateRequest {
	return &integrationv1.CopyTemplateRequest{TemplateId: template}
}

// want fails the test unless a call that did not reach the service has an error of that
// code and reason, about which nothing was sent.
func want(t *testing.T, what string, served bool, e *apierror.Error, code codes.Code, reason string) {
	t.Helper()
	if served || e == nil || e.Code != code || e.Reason != reason || e.Outcome != exchange.NotSent {
		t.Errorf("%s: served %v, %+v; want %v %s", what, served, e, code, reason)
	}
}

func TestUnary_CallWithoutANamedCaller_IsRefused(t *testing.T) {
	t.Parallel()
	a := newAccess(t)
	for what, ctx := range map[string]context.Context{
		"nobody":                t.Context(),
		"a caller without name": authn.NewContext(t.Context(), new(authn.Principal)),
	} {
		served, e := call(ctx, a, copyMethod, copyOf(templateID), nil)
		want(t, what, served, e, codes.Unauthenticated, apierror.ReasonMissingCredential)
	}
}

func TestUnary_CallerOrAccountThatLeftTheFile_IsRefused(t *testing.T) {
	t.Parallel()
	a := newAccess(t)
	gone := authn.NewContext(t.Context(), authn.NewNamed(&authn.Named{Account: "globex", Caller: "free"}, nil))
	for what, ctx := range map[string]context.Context{"the caller": as(t.Context(), "left"), "the account": gone} {
		served, e := call(ctx, a, copyMethod, copyOf(templateID), nil)
		want(t, what, served, e, codes.PermissionDenied, apierror.ReasonNotAllowed)
		if e != nil && !strings.Contains(e.Message, "no longer in the file") {
			t.Errorf("%s: %s", what, e.Message)
		}
	}
}

func TestUnary_MethodAndTemplate_AreThoseThatARuleAllows(t *testing.T) {
	t.Parallel()
	a := newAccess(t)
	ctx := as(t.Context(), "bound")
	if served, e := call(ctx, a, copyMethod, copyOf(templateID), nil); !served || e != nil {
		t.Errorf("what is allowed: %v", e)
	}
	served, e := call(ctx, a, copyMethod, copyOf(otherID), nil)
	want(t, "another template", served, e, codes.PermissionDenied, apierror.ReasonNotAllowed)
	served, e = call(ctx, a, listMethod, new(integrationv1.ListTemplatesRequest), nil)
	want(t, "another method", served, e, codes.PermissionDenied, apierror.ReasonNotAllowed)
}

// The health service and the reflection are no methods of the contract, and need no caller.
func TestUnaryAndStream_MethodOutsideOfTheContract_IsServedToEverybody(t *testing.T) {
	t.Parallel()
	a := newAccess(t)
	const method = "/grpc.health.v1.Health/Check"
	if served, e := call(t.Context(), a, method, nil, nil); !served || e != nil {
		t.Errorf("unary: %v", e)
	}
	if served, err := stream(t.Context(), a, method); !served || err != nil {
		t.Errorf("stream: %v", err)
	}
}

// NOT_SENT of such a call would be read as the fate of the copy that it is about.
func TestUnary_RefusedCallAboutARecord_HasNoOutcome(t *testing.T) {
	t.Parallel()
	served, e := call(as(t.Context(), "bound"), newAccess(t), digatev1.LedgerService_GetCopy_FullMethodName, new(digatev1.GetCopyRequest), nil)
	if served || e == nil || e.Code != codes.PermissionDenied || e.Outcome == exchange.NotSent {
		t.Errorf("served %v, %+v", served, e)
	}
}

// ends are the ways in which a copy may end, and whether that made something.
var ends = []struct {
	name     string
	err      error
	replayed bool
	counts   bool
}{
	{"done", nil, false, true},
	{"replayed", nil, true, false},
	{"not sent", apierror.Overloaded(time.Second), false, false},
	{"rejected", apierror.FromResponse(apierror.Response{Status: 404}, true, nil), false, false},
	{"in doubt", apierror.ResponseLost(os.ErrDeadlineExceeded, true), false, true},
	{"in doubt, of a record that is replayed", apierror.ResponseLost(os.ErrDeadlineExceeded, true), true, true},
}

func TestUnary_CopyThatMadeNothing_IsNotCountedForTheDay(t *testing.T) {
	t.Parallel()
	for _, end := range ends {
		a := newAccess(t)
		ctx := as(t.Context(), "daily")
		exchange.FromContext(ctx).Replayed = end.replayed
		if served, _ := call(ctx, a, copyMethod, copyOf(templateID), end.err); !served {
			t.Fatalf("%s: the first copy was refused", end.name)
		}
		served, e := call(as(t.Context(), "daily"), a, copyMethod, copyOf(templateID), nil)
		if !end.counts {
			if !served || e != nil {
				t.Errorf("%s: the next copy: %v", end.name, e)
			}
			continue
		}
		want(t, end.name, served, e, codes.ResourceExhausted, apierror.ReasonQuotaExceeded)
		if e != nil && (e.RetryAfter == nil || *e.RetryAfter <= 0 || !strings.Contains(e.Message, "copies_per_day of the caller daily")) {
			t.Errorf("%s: %+v", end.name, e)
		}
	}
}

func TestUnary_OtherCalls_AreNoCopiesOfTheDay(t *testing.T) {
	t.Parallel()
	a := newAccess(t)
	for range 3 {
		if served, e := call(as(t.Context(), "daily"), a, listMethod, new(integrationv1.ListTemplatesRequest), nil); !served || e != nil {
			t.Errorf("%v", e)
		}
	}
	// One that made nothing gives no copy back.
	if served, e := call(as(t.Context(), "daily"), a, copyMethod, copyOf(templateID), nil); !served || e != nil {
		t.Fatalf("the copy: %v", e)
	}
	call(as(t.Context(), "daily"), a, listMethod, new(integrationv1.ListTemplatesRequest), apierror.Overloaded(time.Second))
	served, e := call(as(t.Context(), "daily"), a, copyMethod, copyOf(templateID), nil)
	want(t, "the second copy", served, e, codes.ResourceExhausted, apierror.ReasonQuotaExceeded)
}

// serverStream is a stream of which only the context matters.
type serverStream struct {
	grpc.ServerStream

	ctx context.Context
}

func (s serverStream) Context() context.Context { return s.ctx }

// stream makes a stream, and returns whether it reached the service, and its error.
func stream(ctx context.Context, a *access.Access, method string) (served bool, err error) {
	err = a.Stream(nil, serverStream{ctx: ctx}, &grpc.StreamServerInfo{FullMethod: method}, func(any, grpc.ServerStream) error {
		served = true
		return nil
	})
	return served, err
}

func TestStream_IsDecidedAboutAndCountsAsOneRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccess(t)
		// Its templates are those of its copies.
		if served, err := stream(as(t.Context(), "bound"), a, bulkMethod); !served || err != nil {
			t.Errorf("of a caller that is bound to templates: %v", err)
		}
		served, err := stream(as(t.Context(), "bound"), a, integrationv1.IntegrationService_StreamTemplates_FullMethodName)
		want(t, "another method", served, apierror.FromError(err), codes.PermissionDenied, apierror.ReasonNotAllowed)
		for range 2 { // it is no copy of the day
			if served, err := stream(as(t.Context(), "daily"), a, bulkMethod); !served || err != nil {
				t.Errorf("of a caller with copies of a day: %v", err)
			}
		}
		if served, err := stream(as(t.Context(), "slow"), a, bulkMethod); !served || err != nil {
			t.Fatalf("the first of a second: %v", err)
		}
		served, err = stream(as(t.Context(), "slow"), a, bulkMethod)
		want(t, "the second of a second", served, apierror.FromError(err), codes.ResourceExhausted, apierror.ReasonQuotaExceeded)
	})
}

func TestItem_Template_IsOneThatARuleAllowsForBulkCopies(t *testing.T) {
	t.Parallel()
	a := newAccess(t)
	if _, err := a.Item(as(t.Context(), "bound"), copyOf(templateID)); err != nil {
		t.Errorf("what is allowed: %v", err)
	}
	_, err := a.Item(as(t.Context(), "single"), copyOf(templateID))
	want(t, "single copies alone", false, apierror.FromError(err), codes.PermissionDenied, apierror.ReasonNotAllowed)
	_, err = a.Item(as(t.Context(), "bound"), copyOf(otherID))
	want(t, "another template", false, apierror.FromError(err), codes.PermissionDenied, apierror.ReasonNotAllowed)
}

func TestItem_CopyThatMadeNothing_IsNotCountedForTheDay(t *testing.T) {
	t.Parallel()
	for _, end := range ends {
		a := newAccess(t)
		ctx := as(t.Context(), "daily")
		ended, err := a.Item(ctx, copyOf(templateID))
		if err != nil {
			t.Fatalf("%s: %v", end.name, err)
		}
		exchange.FromContext(ctx).Replayed = end.replayed
		ended(ctx, end.err)
		_, err = a.Item(as(t.Context(), "daily"), copyOf(templateID))
		if end.counts {
			want(t, end.name, false, apierror.FromError(err), codes.ResourceExhausted, apierror.ReasonQuotaExceeded)
		} else if err != nil {
			t.Errorf("%s: the next copy: %v", end.name, err)
		}
	}
}

func TestItem_QuotaOfASecond_IsWaitedForUntilTheStreamEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccess(t)
		began := time.Now()
		var took []time.Duration
		for range 3 {
			if _, err := a.Item(as(t.Context(), "slow"), copyOf(templateID)); err != nil {
				t.Fatal(err)
			}
			took = append(took, time.Since(began))
		}
		if !slices.Equal(took, []time.Duration{0, time.Second, 2 * time.Second}) {
			t.Errorf("they waited until %v", took)
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second/2, cancel)
		_, err := a.Item(as(ctx, "slow"), copyOf(templateID))
		want(t, "its stream ended", false, apierror.FromError(err), codes.Canceled, apierror.ReasonCancelledBeforeSend)
	})
}
