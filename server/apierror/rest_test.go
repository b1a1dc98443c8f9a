package apierror_test

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/exchange"
)

func TestREST_Violations_AreADetailListWithTheirPlace(t *testing.T) {
	tests := []struct{ field, want string }{
		{"template_id", `["path","template_id"]`},
		{"variables.a[2]", `["body","variables","a",2]`},
		{"variables.a[2][10].b", `["body","variables","a",2,10,"b"]`},
		{"limit", `["query","limit"]`},
		{"body", `["body"]`},
		{"body[57]", `["body",57]`},
		{"body.x", `["body","body","x"]`},
		{"", `["body"]`},
		{"a[x]", `["body","a[x]"]`},
		{"a[2", `["body","a[2"]`},
		{"[3]", `["body",3]`},
		{"a[99999999999]", `["body","a[99999999999]"]`},
		{`a"<é`, `["body","a\"<é"]`},
	}
	locate := func(field string) string {
		switch field {
		case "template_id":
			return "path"
		case "limit":
			return "query"
		default:
			return "body"
		}
	}
	for _, test := range tests {
		e := apierror.InvalidRequest(apierror.Violation{Field: test.field, Description: `no <b> & "c"`, Reason: "SOME_TYPE"})
		a := e.REST(locate)
		want := `{"detail":[{"type":"some_type","loc":` + test.want + `,"msg":"no <b> & \"c\""}]}`
		if a.Status != 422 || string(a.Body) != want {
			t.Errorf("%q:\n got %d %s\nwant 422 %s", test.field, a.Status, a.Body, want)
		}
	}
}

func TestREST_ViolationWithoutReasonOrLocate_HasTheirDefaults(t *testing.T) {
	a := apierror.InvalidRequest(
		apierror.Violation{Field: "a", Description: "d"},
		apierror.Violation{Field: "b", Description: "e", Reason: "not a reason"},
	).REST(nil)
	want := `{"detail":[{"type":"value_error","loc":["body","a"],"msg":"d"},{"type":"value_error","loc":["body","b"],"msg":"e"}]}`
	if string(a.Body) != want {
		t.Errorf("\n got %s\nwant %s", a.Body, want)
	}
}

func TestREST_DetailOfDiga_RendersAsItWas(t *testing.T) {
	const body = `{"detail":[{"type":"int_type","loc":["body","variables","a",2],"msg":"m"},{"type":"json_invalid","loc":["body",57],"msg":"n"},{"type":"missing","loc":["body"],"msg":"o"}]}`
	if got := string(apierror.FromResponse(response(422, body), true, nil).REST(nil).Body); got != body {
		t.Errorf("\n got %s\nwant %s", got, body)
	}
}

func TestWrite_Response_HasItsLength(t *testing.T) {
	r := apierror.RouteNotFound().REST(nil)
	w := httptest.NewRecorder()
	r.Write(w)
	got := w.Result()
	if got.StatusCode != http.StatusNotFound || got.Header.Get("Content-Length") != strconv.Itoa(len(r.Body)) || w.Body.String() != string(r.Body) ||
		got.Header.Get("Digate-Outcome") != "NOT_SENT" {
		t.Errorf("got %d %v %s", got.StatusCode, got.Header, w.Body)
	}
}

func TestREST_Envelope_EscapesNothingThatNeedNotBe(t *testing.T) {
	a := apierror.MissingCredential(`é <b> & 'c' "d" \ 日本 ` + "\u2028\x00").REST(nil)
	if got, want := string(a.Body), `{"status":"error","error_code":"MISSING_CREDENTIAL","message":"é <b> & 'c' \"d\" \\ 日本"}`; got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
}

func TestREST_RetryAfter_IsInWholeSecondsRoundedUp(t *testing.T) {
	for wait, want := range map[time.Duration]string{
		0: "0", time.Nanosecond: "1", time.Second: "1", 1001 * time.Millisecond: "2", 24 * time.Hour: "86400",
	} {
		e := apierror.Unreachable(nil)
		e.RetryAfter = &wait
		if got := e.REST(nil).Header.Get("Retry-After"); got != want {
			t.Errorf("%v: got %q, want %q", wait, got, want)
		}
	}
}

func TestREST_EveryCodeThatDigaDidNotSend_HasItsStatus(t *testing.T) {
	tests := []struct {
		code    codes.Code
		outcome exchange.Outcome
		want    int
	}{
		{codes.Canceled, exchange.Unknown, 499},
		{codes.Unknown, exchange.Unknown, 502},
		{codes.InvalidArgument, exchange.NotSent, 422},
		{codes.DeadlineExceeded, exchange.Unknown, 504},
		{codes.NotFound, exchange.NotSent, 404},
		{codes.AlreadyExists, exchange.Done, 409},
		{codes.PermissionDenied, exchange.NotSent, 403},
		{codes.ResourceExhausted, exchange.NotSent, 429},
		{codes.FailedPrecondition, exchange.NotSent, 412},
		{codes.Aborted, exchange.Unknown, 409},
		{codes.OutOfRange, exchange.NotSent, 422},
		{codes.Unimplemented, exchange.NotSent, 501},
		{codes.Internal, exchange.Unknown, 500},
		{codes.Unavailable, exchange.NotSent, 503},
		{codes.Unavailable, exchange.Unknown, 502},
		{codes.Unavailable, exchange.None, 502},
		{codes.DataLoss, exchange.Unknown, 500},
		{codes.Unauthenticated, exchange.NotSent, 401},
		{codes.Code(77), exchange.Unknown, 500},
	}
	for _, test := range tests {
		e := &apierror.Error{Code: test.code, Reason: "SOME_REASON", Domain: "digate", Outcome: test.outcome, Message: "m"}
		if got := e.REST(nil).Status; got != test.want {
			t.Errorf("%v, %v: got %d, want %d", test.code, test.outcome, got, test.want)
		}
	}
}

func TestREST_ReasonsOfDigaThatLookLikeOurs_DoNotDecideTheStatus(t *testing.T) {
	e := apierror.FromResponse(response(302, `{"error_code":"REQUEST_TOO_LARGE","message":"m"}`), true, nil)
	if got := e.REST(nil).Status; got != 502 {
		t.Errorf("got %d, want 502", got)
	}
}

func TestREST_StatusOfAStranger_IsInDoubt(t *testing.T) {
	a := apierror.FromStatus(status.New(codes.Unavailable, "no healthy upstream")).REST(nil)
	want := `{"status":"error","error_code":"OUTCOME_UNKNOWN","message":"no healthy upstream"}`
	if a.Status != 502 || string(a.Body) != want || a.Header.Get("Digate-Outcome") != "UNKNOWN" || a.Header.Get("Retry-After") != "" {
		t.Errorf("got %d %s %v", a.Status, a.Body, a.Header)
	}
	if strings.Contains(string(a.Body), "\n") {
		t.Error("the body ends in a newline")
	}
}
