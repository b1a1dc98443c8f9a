package apierror_test

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"

	"github.com/digate/digate/server/apierror"
)

// bodyCase is one kind of body and what its own words are.
type bodyCase struct {
	name    string
	body    string
	cut     bool // the connection broke within it
	spoke   bool // it is in one of Diga's shapes
	code    string
	message string
	detail  string // the detail list of the REST response, where there is one
}

var bodies = []bodyCase{
	{name: "envelope", body: `{"status":"error","error_code":"SOME_CODE","message":"It's <no> & \"never\""}`,
		spoke: true, code: "SOME_CODE", message: `It's <no> & "never"`},
	{name: "envelope without status", body: ` {"message":"m","error_code":"M_C_P_SERVER_ERROR","extra":1} `,
		spoke: true, code: "M_C_P_SERVER_ERROR", message: "m"},
	{name: "envelope, bad error_code", body: `{"status":"error","error_code":"some-code","message":"m"}`,
		spoke: true, message: "m"},
	{name: "envelope, endless error_code", body: `{"status":"error","error_code":"` + strings.Repeat("A", 64) + `","message":"m"}`,
		spoke: true, message: "m"},
	{name: "detail list", body: `{"detail":[{"type":"uuid_parsing","loc":["path","template_id"],"msg":"Not a <UUID>","input":"x","ctx":{"e":1},"url":"https://u"}]}`,
		spoke: true, message: "template_id: Not a <UUID>",
		detail: `{"detail":[{"type":"uuid_parsing","loc":["path","template_id"],"msg":"Not a <UUID>"}]}`},
	{name: "detail string", body: `{"detail":"Not Found"}`, spoke: true, message: "Not Found"},
	{name: "HTML", body: "<html><body>Bad gateway hunter2</body></html>"},
	{name: "empty", body: ""},
	{name: "truncated", body: `{"status":"error","error_code":"SOME_CODE","mess`},
	{name: "cut", body: `{"status":"error","error_code":"SOME_CODE","mess`, cut: true},
	{name: "trailing garbage", body: `{"error_code":"SOME_CODE","message":"m"}{}`},
	{name: "other JSON", body: `{"error":{"code":1}}`},
	{name: "envelope of other types", body: `{"error_code":7,"message":null}`},
	{name: "empty detail list", body: `{"detail":[]}`},
	{name: "detail list of other things", body: `{"detail":[{"msg":"m"},null]}`},
	{name: "JSON null", body: "null"},
}

// Conditions of a row.
const (
	always = iota
	yes
	no
)

func holds(condition int, fact bool) bool {
	return condition == always || (condition == yes) == fact
}

// row is one row of the table of outcomes, for the statuses from to to.
type row struct {
	from, to             int
	write, envelope, cut int
	code                 codes.Code
	reason               string // where Diga gives none
	ours                 bool   // whatever the body says
	outcome              string
	retry                bool
	rest                 int // 0 is Diga's own status
}

var table = []row{
	{from: math.MinInt, to: 99, code: codes.Unknown, reason: "UPSTREAM_INVALID_RESPONSE", ours: true, outcome: "UNKNOWN", rest: 502},
	{from: 100, to: 199, code: codes.Unknown, reason: "UPSTREAM_INVALID_RESPONSE", ours: true, outcome: "UNKNOWN", rest: 502},
	{from: 200, to: 299, cut: no, code: codes.Unknown, reason: "UPSTREAM_INVALID_RESPONSE", ours: true, outcome: "UNKNOWN", rest: 502},
	{from: 200, to: 299, cut: yes, write: yes, code: codes.Unknown, reason: "OUTCOME_UNKNOWN", ours: true, outcome: "UNKNOWN", rest: 502},
	{from: 200, to: 299, cut: yes, write: no, code: codes.Unavailable, reason: "OUTCOME_UNKNOWN", ours: true, outcome: "UNKNOWN", retry: true, rest: 502},
	{from: 300, to: 306, write: yes, code: codes.Unknown, reason: "UPSTREAM_UNEXPECTED", outcome: "UNKNOWN", rest: 502},
	{from: 300, to: 306, write: no, code: codes.Internal, reason: "UPSTREAM_UNEXPECTED", outcome: "REJECTED", rest: 502},
	{from: 307, to: 308, code: codes.Internal, reason: "UPSTREAM_UNEXPECTED", outcome: "REJECTED", rest: 502},
	{from: 309, to: 399, write: yes, code: codes.Unknown, reason: "UPSTREAM_UNEXPECTED", outcome: "UNKNOWN", rest: 502},
	{from: 309, to: 399, write: no, code: codes.Internal, reason: "UPSTREAM_UNEXPECTED", outcome: "REJECTED", rest: 502},
	{from: 400, to: 400, code: codes.InvalidArgument, reason: "INVALID_REQUEST", outcome: "REJECTED"},
	{from: 401, to: 401, code: codes.Unauthenticated, reason: "UPSTREAM_UNEXPECTED", outcome: "REJECTED"},
	{from: 402, to: 402, code: codes.FailedPrecondition, reason: "UPSTREAM_UNEXPECTED", outcome: "REJECTED"},
	{from: 403, to: 403, code: codes.PermissionDenied, reason: "UPSTREAM_UNEXPECTED", outcome: "REJECTED"},
	{from: 404, to: 404, code: codes.NotFound, reason: "UPSTREAM_UNEXPECTED", outcome: "REJECTED"},
	{from: 408, to: 408, write: yes, envelope: no, code: codes.Unknown, reason: "UPSTREAM_UNEXPECTED", outcome: "UNKNOWN"},
	{from: 408, to: 408, write: no, envelope: no, code: codes.FailedPrecondition, reason: "UPSTREAM_UNEXPECTED", outcome: "REJECTED"},
	{from: 408, to: 408, envelope: yes, code: codes.FailedPrecondition, reason: "UPSTREAM_UNEXPECTED", outcome: "REJECTED"},
	{from: 405, to: 407, code: codes.FailedPrecondition, reason: "UPSTREAM_UNEXPECTED", outcome: "REJECTED"},
	{from: 409, to: 409, code: codes.AlreadyExists, reason: "UPSTREAM_UNEXPECTED", outcome: "REJECTED"},
	{from: 410, to: 410, code: codes.NotFound, reason: "UPSTREAM_UNEXPECTED", outcome: "REJECTED"},
	{from: 411, to: 411, code: codes.FailedPrecondition, reason: "UPSTREAM_UNEXPECTED", outcome: "REJECTED"},
	{from: 412, to: 412, code: codes.FailedPrecondition, reason: "UPSTREAM_UNEXPECTED", outcome: "REJECTED"},
	{from: 413, to: 421, code: codes.FailedPrecondition, reason: "UPSTREAM_UNEXPECTED", outcome: "REJECTED"},
	{from: 422, to: 422, code: codes.InvalidArgument, reason: "INVALID_REQUEST", outcome: "REJECTED"},
	{from: 423, to: 428, code: codes.FailedPrecondition, reason: "UPSTREAM_UNEXPECTED", outcome: "REJECTED"},
	{from: 429, to: 429, code: codes.ResourceExhausted, reason: "RATE_LIMITED", outcome: "REJECTED", retry: true},
	{from: 499, to: 499, write: yes, envelope: no, code: codes.Unknown, reason: "UPSTREAM_UNEXPECTED", outcome: "UNKNOWN"},
	{from: 499, to: 499, write: no, envelope: no, code: codes.FailedPrecondition, reason: "UPSTREAM_UNEXPECTED", outcome: "REJECTED"},
	{from: 499, to: 499, envelope: yes, code: codes.FailedPrecondition, reason: "UPSTREAM_UNEXPECTED", outcome: "REJECTED"},
	{from: 430, to: 498, code: codes.FailedPrecondition, reason: "UPSTREAM_UNEXPECTED", outcome: "REJECTED"},
	{from: 500, to: 500, code: codes.Internal, reason: "UPSTREAM_ERROR", outcome: "UNKNOWN"},
	{from: 501, to: 502, write: yes, code: codes.Unknown, reason: "UPSTREAM_GATEWAY", outcome: "UNKNOWN"},
	{from: 501, to: 502, write: no, code: codes.Unavailable, reason: "UPSTREAM_GATEWAY", outcome: "UNKNOWN", retry: true},
	{from: 503, to: 503, envelope: yes, code: codes.Unavailable, reason: "UPSTREAM_UNEXPECTED", outcome: "REJECTED", retry: true},
	{from: 503, to: 503, envelope: no, write: yes, code: codes.Unknown, reason: "UPSTREAM_GATEWAY", outcome: "UNKNOWN"},
	{from: 503, to: 503, envelope: no, write: no, code: codes.Unavailable, reason: "UPSTREAM_GATEWAY", outcome: "UNKNOWN", retry: true},
	{from: 504, to: 599, write: yes, code: codes.Unknown, reason: "UPSTREAM_GATEWAY", outcome: "UNKNOWN"},
	{from: 504, to: 599, write: no, code: codes.Unavailable, reason: "UPSTREAM_GATEWAY", outcome: "UNKNOWN", retry: true},
	{from: 600, to: math.MaxInt, code: codes.Unknown, reason: "UPSTREAM_INVALID_RESPONSE", ours: true, outcome: "UNKNOWN", rest: 502},
}

// rowOf finds the one row that a case belongs to.
func rowOf(t *testing.T, status int, a bodyCase, write bool) row {
	t.Helper()
	var found []row
	for _, r := range table {
		envelope := strings.HasPrefix(a.name, "envelope") && a.spoke
		if r.from <= status && status <= r.to && holds(r.write, write) && holds(r.envelope, envelope) && holds(r.cut, a.cut) {
			found = append(found, r)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d rows for HTTP %d", len(found), status)
	}
	return found[0]
}

func TestFromResponse_EveryStatusBodyAndKindOfCall_IsItsRow(t *testing.T) {
	for _, a := range bodies {
		for _, write := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, write %t", a.name, write), func(t *testing.T) {
				for _, status := range statuses() {
					if !checkRow(t, status, a, write, rowOf(t, status, a, write)) {
						t.Fatalf("^ HTTP %d", status)
					}
				}
			})
		}
	}
}

// statuses are all that HTTP defines, and nonsense on both sides.
func statuses() []int {
	all := []int{math.MinInt, -1, 0, 1, 42, 99, 600, 601, 999, 1000, 100_000, math.MaxInt}
	for status := 100; status <= 599; status++ {
		all = append(all, status)
	}
	return all
}

func checkRow(t *testing.T, status int, a bodyCase, write bool, want row) bool {
	t.Helper()
	r := apierror.Response{Status: status, Header: http.Header{"Retry-After": {"7"}}, Body: []byte(a.body)}
	if a.cut {
		r.ReadErr = io.ErrUnexpectedEOF
	}
	e := apierror.FromResponse(r, write, nil)

	domain, reason := "digate", want.reason
	if a.spoke && !want.ours {
		domain = "diga.io"
		if a.code != "" {
			reason = a.code
		}
	}
	httpStatus := ""
	if status > 0 && status <= 999 {
		httpStatus = strconv.Itoa(status)
	}

	ok := true
	expect := func(what string, got, want any) {
		t.Helper()
		if got != want {
			t.Errorf("%s: got %v, want %v", what, got, want)
			ok = false
		}
	}

	// The gRPC status.
	st := e.GRPCStatus()
	var info *errdetails.ErrorInfo
	var bad *errdetails.BadRequest
	var retry *errdetails.RetryInfo
	for _, d := range st.Details() {
		switch d := d.(type) {
		case *errdetails.ErrorInfo:
			info = d
		case *errdetails.BadRequest:
			bad = d
		case *errdetails.RetryInfo:
			retry = d
		default:
			t.Errorf("unexpected detail %T", d)
		}
	}
	expect("code", st.Code(), want.code)
	expect("reason", info.GetReason(), reason)
	expect("domain", info.GetDomain(), domain)
	expect("outcome", info.GetMetadata()["outcome"], want.outcome)
	expect("http_status", info.GetMetadata()["http_status"], httpStatus)
	expect("RetryInfo", retry != nil, want.retry)
	if retry != nil && !a.cut {
		expect("retry delay in seconds", retry.RetryDelay.Seconds, int64(7))
	}
	if write && want.outcome == "UNKNOWN" {
		expect("RetryInfo on a write in doubt", retry != nil, false)
		expect("UNAVAILABLE on a write in doubt", st.Code() == codes.Unavailable, false)
		expect("RetryUnsafe", e.RetryUnsafe(), true)
	}
	if want.outcome == "REJECTED" {
		expect("RetryUnsafe", e.RetryUnsafe(), false)
	}
	expect("BadRequest", bad != nil, a.detail != "" && !want.ours)
	if a.spoke && !want.ours {
		expect("message", st.Message(), a.message)
	} else {
		expect("a message of our own", strings.HasPrefix(st.Message(), "Diga"), true)
		expect("HTML in the message", strings.Contains(st.Message(), "hunter2"), false)
	}

	// The REST response.
	response := e.REST(func(string) string { return "path" })
	rest := want.rest
	if rest == 0 {
		rest = status
	}
	expect("REST status", response.Status, rest)
	expect("Digate-Outcome", response.Header.Get("Digate-Outcome"), want.outcome)
	expect("Retry-After", response.Header.Get("Retry-After") != "", want.retry)
	expect("WWW-Authenticate", response.Header.Get("WWW-Authenticate") != "", status == 401)
	expect("relayable", e.Relayable(), status >= 400 && status <= 599 && a.spoke && !a.cut)
	if a.detail != "" && !want.ours {
		expect("REST body", string(response.Body), a.detail)
	} else {
		expect("REST body", string(response.Body), `{"status":"error","error_code":"`+reason+`","message":`+quoted(st.Message())+`}`)
	}
	return ok
}

// quoted is s as a JSON string with nothing escaped that need not be.
func quoted(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		return err.Error()
	}
	return strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(string(b))
}
