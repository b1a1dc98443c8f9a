package apierror_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/exchange"
)

// conclusion is a failure that digate concluded, as a status and as a REST response.
type conclusion struct {
	name       string
	err        *apierror.Error
	code       codes.Code
	reason     string
	outcome    string
	retryAfter time.Duration
	unsafe     bool
	rest       int
}

var errReset = errors.New("connection reset by peer")

func conclusions() []conclusion {
	refused := apierror.Violation{Field: "template_id", Description: "must be a UUID", Reason: "UUID_PARSING"}
	return []conclusion{
		{"invalid request", apierror.InvalidRequest(refused), codes.InvalidArgument, "INVALID_REQUEST", "NOT_SENT", 0, false, 422},
		{"invalid request, no field", apierror.InvalidRequest(), codes.InvalidArgument, "INVALID_REQUEST", "NOT_SENT", 0, false, 422},
		{"no credential", apierror.MissingCredential("a bearer token is required"), codes.Unauthenticated, "MISSING_CREDENTIAL", "NOT_SENT", 0, false, 401},
		{"too large", apierror.RequestTooLarge(4 << 20), codes.ResourceExhausted, "REQUEST_TOO_LARGE", "NOT_SENT", 0, false, 413},
		{"response too large", apierror.ResponseTooLarge(5<<20, 4<<20), codes.ResourceExhausted, "RESPONSE_TOO_LARGE", "DONE", 0, true, 429},
		{"no route", apierror.RouteNotFound(), codes.NotFound, "ROUTE_NOT_FOUND", "NOT_SENT", 0, false, 404},
		{"other method", apierror.MethodNotAllowed(), codes.Unimplemented, "METHOD_NOT_ALLOWED", "NOT_SENT", 0, false, 405},
		{"circuit open", apierror.CircuitOpen(3 * time.Second), codes.Unavailable, "UPSTREAM_CIRCUIT_OPEN", "NOT_SENT", 3 * time.Second, false, 503},
		{"overloaded", apierror.Overloaded(0), codes.Unavailable, "OVERLOADED", "NOT_SENT", time.Second, false, 503},
		{"unsupported media type", apierror.UnsupportedMediaType(), codes.Unimplemented, "UNSUPPORTED_MEDIA_TYPE", "NOT_SENT", 0, false, 415},
		{"HTTP/2 required", apierror.HTTP2Required(), codes.Unimplemented, "HTTP2_REQUIRED", "NOT_SENT", 0, false, 501},
		{"unknown encoding", apierror.UnknownEncoding(), codes.Unimplemented, "UNSUPPORTED_ENCODING", "NOT_SENT", 0, false, 501},
		{"malformed header", apierror.MalformedHeader(), codes.Internal, "INVALID_REQUEST", "NOT_SENT", 0, false, 500},
		{"too many streams", apierror.TooManyStreams(), codes.Unavailable, "TOO_MANY_STREAMS", "NOT_SENT", time.Second, false, 503},
		{"ledger away", apierror.LedgerUnavailable(errReset), codes.Unavailable, "LEDGER_UNAVAILABLE", "NOT_SENT", time.Second, false, 503},
		{"share of the ledger", apierror.LedgerShareExceeded(), codes.ResourceExhausted, "LEDGER_SHARE_EXCEEDED", "NOT_SENT", time.Minute, false, 429},
		{"no record", apierror.NoRecord(), codes.NotFound, "RECORD_NOT_FOUND", "NOT_APPLICABLE", 0, false, 404},
		{"not in doubt", apierror.NotResolvable("x"), codes.FailedPrecondition, "RECORD_NOT_RESOLVABLE", "NOT_APPLICABLE", 0, false, 412},
		{"too many items", apierror.TooManyItems(7), codes.ResourceExhausted, "REQUEST_TOO_LARGE", "NOT_SENT", 0, false, 413},
		{"in doubt, still", apierror.InDoubt(apierror.Integration, []string{"a", "b"}), codes.Aborted, "OUTCOME_UNKNOWN", "UNKNOWN", 0, true, 409},
		{"copied before", apierror.AlreadyCreated(apierror.Integration, "a", errReset), codes.AlreadyExists, "ALREADY_CREATED", "DONE", 0, true, 409},
		{"under way", apierror.StillUnderWay(context.DeadlineExceeded), codes.DeadlineExceeded, "OUTCOME_UNKNOWN", "UNKNOWN", 0, true, 504},
		{"stalled", apierror.Stalled(time.Minute), codes.DeadlineExceeded, "STALLED", "UNKNOWN", 0, true, 504},
		{"drifted", apierror.Drifted([]exchange.Drift{{Path: []string{"a"}, Kind: "enum"}}), codes.Unknown, "UPSTREAM_INVALID_RESPONSE", "UNKNOWN", 0, true, 502},
		{"refused", apierror.Unreachable(errReset), codes.Unavailable, "UPSTREAM_UNREACHABLE", "NOT_SENT", time.Second, false, 503},
		{"no time", apierror.NotBegun(context.DeadlineExceeded), codes.DeadlineExceeded, "DEADLINE_BEFORE_SEND", "NOT_SENT", 0, false, 504},
		{"no time, no cause", apierror.NotBegun(nil), codes.DeadlineExceeded, "DEADLINE_BEFORE_SEND", "NOT_SENT", 0, false, 504},
		{"cancelled before", apierror.NotBegun(fmt.Errorf("dial: %w", context.Canceled)), codes.Canceled, "CANCELLED_BEFORE_SEND", "NOT_SENT", 0, false, 499},
		{"lost write", apierror.ResponseLost(errReset, true), codes.Unknown, "OUTCOME_UNKNOWN", "UNKNOWN", 0, true, 502},
		{"lost read", apierror.ResponseLost(errReset, false), codes.Unavailable, "OUTCOME_UNKNOWN", "UNKNOWN", time.Second, false, 502},
		{"deadline of a write", apierror.ResponseLost(context.DeadlineExceeded, true), codes.DeadlineExceeded, "OUTCOME_UNKNOWN", "UNKNOWN", 0, true, 504},
		{"deadline of a read", apierror.ResponseLost(context.DeadlineExceeded, false), codes.DeadlineExceeded, "OUTCOME_UNKNOWN", "UNKNOWN", 0, true, 504},
		{"cancelled write", apierror.ResponseLost(context.Canceled, true), codes.Canceled, "OUTCOME_UNKNOWN", "UNKNOWN", 0, true, 499},
		{"bug before", apierror.Internal(errReset, exchange.NotSent), codes.Internal, "INTERNAL_ERROR", "NOT_SENT", 0, false, 500},
		{"bug after", apierror.Internal(errReset, exchange.Unknown), codes.Internal, "INTERNAL_ERROR", "UNKNOWN", 0, true, 500},
		{"bug in doubt", apierror.Internal(errReset, exchange.None), codes.Internal, "INTERNAL_ERROR", "UNKNOWN", 0, true, 500},
		{"bug after success", apierror.Internal(errReset, exchange.Done), codes.Internal, "INTERNAL_ERROR", "DONE", 0, true, 500},
	}
}

func TestCircuitOpen_Wait_IsBounded(t *testing.T) {
	for wait, want := range map[time.Duration]time.Duration{-time.Second: 0, time.Hour: time.Hour, 48 * time.Hour: 24 * time.Hour} {
		if got := *apierror.CircuitOpen(wait).RetryAfter; got != want {
			t.Errorf("%v: got %v, want %v", wait, got, want)
		}
	}
}

func TestConclusions_Tools_AreNamedAsTools(t *testing.T) {
	for _, e := range []*apierror.Error{
		apierror.AlreadyCreated(apierror.Tool, "a", errReset), apierror.InDoubt(apierror.Tool, []string{"a"}),
	} {
		if got := apierror.FromStatus(e.GRPCStatus()); !slices.Equal(got.ToolIDs, []string{"a"}) || got.IntegrationIDs != nil {
			t.Errorf("tools %q, integrations %q", got.ToolIDs, got.IntegrationIDs)
		}
	}
}

func TestConclusions_Integrations_AreNamedUpToTheBound(t *testing.T) {
	many := strings.Split(strings.Repeat("x,", apierror.MaxIDs)+"x", ",")
	for name, tt := range map[string]struct {
		err  *apierror.Error
		want []string
	}{
		"copied before":       {apierror.AlreadyCreated(apierror.Integration, "a", errReset), []string{"a"}},
		"in doubt":            {apierror.InDoubt(apierror.Integration, []string{"a", "b"}), []string{"a", "b"}},
		"in doubt, unseen":    {apierror.InDoubt(apierror.Integration, nil), nil},
		"in doubt, with many": {apierror.InDoubt(apierror.Integration, many), many[1:]},
	} {
		if !slices.Equal(tt.err.IntegrationIDs, tt.want) {
			t.Errorf("%s: got %q, want %q", name, tt.err.IntegrationIDs, tt.want)
		}
	}
}

func TestConclusions_CodeReasonOutcomeAndREST(t *testing.T) {
	for _, c := range conclusions() {
		t.Run(c.name, func(t *testing.T) {
			e, a := c.err, c.err.REST(nil)
			wantRetry, wantHeader := "", ""
			if c.retryAfter > 0 {
				wantRetry, wantHeader = c.retryAfter.String(), fmt.Sprint(c.retryAfter.Seconds())
			}
			for what, pair := range map[string][2]any{
				"code":            {e.GRPCStatus().Code(), c.code},
				"reason":          {e.Reason, c.reason},
				"domain":          {e.Domain, "digate"},
				"outcome":         {a.Header.Get("Digate-Outcome"), c.outcome},
				"upstream status": {e.HTTPStatus, 0},
				"retry after":     {publicHalf(e).RetryAfter, wantRetry},
				"Retry-After":     {a.Header.Get("Retry-After"), wantHeader},
				"unsafe":          {e.RetryUnsafe(), c.unsafe},
				"REST status":     {a.Status, c.rest},
				"relayable":       {e.Relayable(), false},
				"no message":      {e.Message == "", false},
				"content type":    {a.Header.Get("Content-Type"), "application/json"},
				"authentication":  {a.Header.Get("WWW-Authenticate") == "Bearer", c.rest == http.StatusUnauthorized},
			} {
				if pair[0] != pair[1] {
					t.Errorf("%s: got %v, want %v", what, pair[0], pair[1])
				}
			}
		})
	}
}
