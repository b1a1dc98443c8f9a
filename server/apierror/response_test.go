package apierror_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/digate/digate/server/apierror"
)

func response(status int, body string) apierror.Response {
	return apierror.Response{Status: status, Body: []byte(body)}
}

func TestFromResponse_DetailEntries_BecomeViolations(t *testing.T) {
	tests := []struct {
		entry string
		want  apierror.Violation
	}{
		{`{"type":"uuid_parsing","loc":["path","template_id"],"msg":"m"}`, apierror.Violation{Field: "template_id", Description: "m", Reason: "UUID_PARSING"}},
		{`{"type":"int_type","loc":["body","variables","a",2],"msg":"m"}`, apierror.Violation{Field: "variables.a[2]", Description: "m", Reason: "INT_TYPE"}},
		{`{"type":"x_y","loc":["query","limit"],"msg":"m"}`, apierror.Violation{Field: "limit", Description: "m", Reason: "X_Y"}},
		{`{"type":"missing","loc":["header","authorization"],"msg":"m"}`, apierror.Violation{Field: "authorization", Description: "m", Reason: "MISSING"}},
		{`{"type":"missing","loc":["body"],"msg":"Field required"}`, apierror.Violation{Field: "body", Description: "Field required", Reason: "MISSING"}},
		{`{"type":"json_invalid","loc":["body",57],"msg":"m"}`, apierror.Violation{Field: "body[57]", Description: "m", Reason: "JSON_INVALID"}},
		{`{"type":"missing","loc":["body",0,"name"],"msg":"m"}`, apierror.Violation{Field: "body[0].name", Description: "m", Reason: "MISSING"}},
		{`{"type":"missing","loc":["name"],"msg":"m"}`, apierror.Violation{Field: "name", Description: "m", Reason: "MISSING"}},
		{`{"type":"value_error.missing","loc":["body","name"],"msg":"m"}`, apierror.Violation{Field: "name", Description: "m"}},
		{`{"type":7,"loc":"name","msg":"m"}`, apierror.Violation{Description: "m"}},
		{`{"msg":"m","loc":["body","a",-1,1.5,null,{"input":"x"},"b"]}`, apierror.Violation{Field: "a.b", Description: "m"}},
		{`{"msg":"two\r\nlines\u001b[31m\u202e","loc":["body","a\u0000b"]}`, apierror.Violation{Field: "a b", Description: "two  lines [31m"}},
		{`{"msg":"m","loc":[` + strings.Repeat(`"body",`, 1000) + `"name"]}`, apierror.Violation{Description: "m"}},
	}
	for _, test := range tests {
		e := apierror.FromResponse(response(422, `{"detail":[`+test.entry+`]}`), true, nil)
		if want := []apierror.Violation{test.want}; !reflect.DeepEqual(e.Violations, want) {
			t.Errorf("%.200s\n got %+v\nwant %+v", test.entry, e.Violations, want)
		}
	}
}

func TestFromResponse_Messages(t *testing.T) {
	tests := []struct {
		name, want string
		r          apierror.Response
		write      bool
	}{
		{name: "several violations", r: response(422, `{"detail":[{"msg":"bad","loc":["body","a"]},{"msg":"b"},{"msg":"c"}]}`), want: "a: bad (and 2 more)"},
		{name: "violation without field", r: response(422, `{"detail":[{"msg":"bad"}]}`), want: "bad"},
		{name: "violation without words", r: response(422, `{"detail":[{"msg":"","loc":["body","a"]}]}`), want: "a"},
		{name: "blank message", r: response(404, `{"error_code":"X_Y","message":" \n"}`), want: "Diga responded 404 Not Found with an error without a message"},
		{name: "control characters", r: response(404, `{"error_code":"X_Y","message":"a\r\nb\u0007c\u009bd\u2028e\u2066f"}`), want: "a  b c d e f"},
		{name: "invalid UTF-8", r: response(404, "{\"error_code\":\"X_Y\",\"message\":\"a\xffb\"}"), want: "a\ufffdb"},
		{name: "lone surrogate", r: response(404, `{"error_code":"X_Y","message":"a\ud800b"}`), want: "a\ufffdb"},
		{name: "HTML", r: response(502, "\n<html>secret"), write: true, want: "Diga responded 502 Bad Gateway with an HTML page; the request may have been carried out"},
		{name: "HTML on a read", r: response(502, "<html>"), want: "Diga responded 502 Bad Gateway with an HTML page"},
		{name: "HTML, refused", r: response(413, "<html>"), write: true, want: "Diga responded 413 Request Entity Too Large with an HTML page"},
		{name: "empty", r: response(520, " \n"), want: "Diga responded 520 with an empty body"},
		{name: "cut", r: apierror.Response{Status: 400, Body: []byte(`{"er`), ReadErr: io.ErrUnexpectedEOF}, want: "Diga responded 400 Bad Request with a body that could not be read"},
		{name: "other", r: response(400, `"no"`), want: "Diga responded 400 Bad Request with a body that is not one of its errors"},
		{name: "success without a result", r: response(201, `{"name":"x"}`), write: true, want: "Diga responded 201 Created without a readable result; the request may have been carried out"},
		{name: "error under a success", r: response(200, `{"error_code":"X_Y","message":"Nope"}`), write: true, want: "Diga responded 200 OK without a readable result; the request may have been carried out: Nope"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := apierror.FromResponse(test.r, test.write, nil).Message; got != test.want {
				t.Errorf("\n got %q\nwant %q", got, test.want)
			}
		})
	}
}

func TestFromResponse_CutSuccess_IsALostResponse(t *testing.T) {
	tests := []struct {
		cause error
		write bool
		want  codes.Code
	}{
		{io.ErrUnexpectedEOF, true, codes.Unknown},
		{io.ErrUnexpectedEOF, false, codes.Unavailable},
		{fmt.Errorf("read: %w", context.DeadlineExceeded), true, codes.DeadlineExceeded},
		{context.Canceled, true, codes.Canceled},
		{context.Canceled, false, codes.Canceled},
	}
	for _, test := range tests {
		e := apierror.FromResponse(apierror.Response{Status: 201, Body: []byte(`{"na`), ReadErr: test.cause}, test.write, nil)
		if e.Code != test.want || e.Reason != "OUTCOME_UNKNOWN" || e.HTTPStatus != 201 || e.Unwrap() != test.cause {
			t.Errorf("%v, write %t: got %v, cause %v", test.cause, test.write, e, e.Unwrap())
		}
	}
}

func TestFromResponse_WholeEnvelopeOfABrokenResponse_CountsAndIsNotRelayed(t *testing.T) {
	r := response(503, `{"error_code":"BUSY_NOW","message":"m"}`)
	r.ReadErr = io.ErrUnexpectedEOF
	e := apierror.FromResponse(r, true, nil)
	if e.Reason != "BUSY_NOW" || e.Outcome.String() != "REJECTED" || e.Relayable() {
		t.Errorf("got %v, relayable %t", e, e.Relayable())
	}
}

func TestFromResponse_InvalidUTF8_IsNotRelayed(t *testing.T) {
	if apierror.FromResponse(response(404, "{\"error_code\":\"X_Y\",\"message\":\"\xff\"}"), true, nil).Relayable() {
		t.Error("a body that is not UTF-8 is relayed")
	}
}

func TestFromResponse_RetryAfter(t *testing.T) {
	const date = "Wed, 21 Oct 2026 07:28:00 GMT"
	tests := []struct {
		value, date string
		want        time.Duration
	}{
		{"7", "", 7 * time.Second},
		{" 7 ", "", 7 * time.Second},
		{"0", "", 0},
		{"86400", "", 24 * time.Hour},
		{"86401", "", 24 * time.Hour},
		{"9223372036854775808", "", 24 * time.Hour},
		{"99999999999999999999999", "", 24 * time.Hour},
		{"", "", time.Second},
		{"-5", "", time.Second},
		{"1.5", "", time.Second},
		{"soon", "", time.Second},
		{"Wed, 21 Oct 2026 07:28:30 GMT", date, 30 * time.Second},
		{"Wednesday, 21-Oct-26 07:28:30 GMT", date, 30 * time.Second},
		{"Wed, 21 Oct 2026 07:27:30 GMT", date, time.Second},
		{"Fri, 21 Oct 2126 07:28:30 GMT", date, 24 * time.Hour},
		{"Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 01 Jan 0001 00:00:00 GMT", 24 * time.Hour},
		// With no Date of Diga's, our clock: a bubble's starts in 2000.
		{"Sat, 01 Jan 2000 00:00:09 GMT", "", 9 * time.Second},
		{"Sat, 01 Jan 2000 00:00:09 GMT", "today", 9 * time.Second},
	}
	synctest.Test(t, func(t *testing.T) {
		for _, test := range tests {
			r := response(429, "")
			r.Header = http.Header{"Retry-After": {test.value}, "Date": {test.date}}
			e := apierror.FromResponse(r, true, nil)
			if e.RetryAfter == nil || *e.RetryAfter != test.want {
				t.Errorf("%q at %q: got %v, want %v", test.value, test.date, publicHalf(e).RetryAfter, test.want)
			}
		}
	})
}

// Only with a refusal does Diga itself invite a retry.
func TestFromResponse_RetryAfter_IsAnInvitationOnlyOfARefusal(t *testing.T) {
	for _, tt := range []struct {
		status int
		header http.Header
		want   bool
	}{
		{429, http.Header{"Retry-After": {"1"}}, true},
		{429, http.Header{"Retry-After": {"soon"}}, false},
		{429, nil, false},
		{502, http.Header{"Retry-After": {"1"}}, false},
	} {
		e := apierror.FromResponse(apierror.Response{Status: tt.status, Header: tt.header}, false, nil)
		if e.Invited() != tt.want || e.RetryAfter == nil {
			t.Errorf("%d %v: invited %t, want %t; delay %v", tt.status, tt.header, e.Invited(), tt.want, e.RetryAfter)
		}
	}
}

func TestFromResponse_ManySmallEntries_AreReadToABoundAndCounted(t *testing.T) {
	e := apierror.FromResponse(response(422, `{"detail":[`+strings.Repeat(`{"msg":"x"},`, 199)+`{"msg":"x"}]}`), true, nil)
	if n := len(e.Violations); n != 65 || !strings.HasPrefix(e.Violations[n-1].Description, "136 more ") {
		t.Errorf("%d violations, the last is %+v", n, e.Violations[n-1])
	}
}

func TestFromResponse_NoHeader_InvitesARetryByDefault(t *testing.T) {
	e := apierror.FromResponse(response(429, ""), true, nil)
	if e.RetryAfter == nil || *e.RetryAfter != time.Second {
		t.Errorf("got %v", publicHalf(e).RetryAfter)
	}
}
