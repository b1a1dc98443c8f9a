package client

import (
	"errors"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/exchange"
)

func TestPlainWords_OfTheLibrary_AreThoseOfAPerson(t *testing.T) {
	t.Parallel()
	for text, row := range map[string]struct {
		code codes.Code
		want string
	}{
		`unexpected HTTP status code received from server: 502 (Bad Gateway); transport: received unexpected content-type "text/html"`: {codes.Unavailable, "HTTP 502 came back, and no gRPC"},
		`received unexpected content-type "text/html"`:                   {codes.Unknown, "HTTP came back, and no gRPC"},
		"error reading from server: EOF":                                 {codes.Unavailable, "the connection to digate was lost (EOF)"},
		"transport is closing":                                           {codes.Unavailable, "the connection to digate was lost"},
		"grpc: received message larger than max (70000000 vs. 67108864)": {codes.ResourceExhausted, "the response has 70000000 bytes, and this command takes 67108864"},
		"context deadline exceeded":                                      {codes.DeadlineExceeded, "no response came within --timeout"},
		"context canceled":                                               {codes.Canceled, "interrupted before a response came"},
		"something new":                                                  {codes.Internal, ""},
	} {
		got, ok := plainWords(status.Error(row.code, text))
		if ok != (row.want != "") || !strings.HasPrefix(got, row.want) {
			t.Errorf("%s: got %q", text, got)
		}
	}
	sent := (&apierror.Error{Code: codes.DeadlineExceeded, Reason: "X", Outcome: exchange.Unknown, Message: "the server's"}).GRPCStatus().Err()
	for _, err := range []error{nil, errors.New("x"), sent} {
		if got, ok := plainWords(err); ok {
			t.Errorf("%v: got %q", err, got)
		}
	}
}

// What did not come from digate's REST side may have been carried out.
func TestFail_CallOfTheRESTSide_IsNotSent(t *testing.T) {
	t.Parallel()
	const page = `unexpected HTTP status code received from server: 404 (Not Found); transport: received unexpected content-type "application/json"` + "\n"
	for text, want := range map[string]ExitError{
		page + `data: "{\"status\":\"error\",\"error_code\":\"ROUTE_NOT_FOUND\"}"`: ExitNotSent,
		page + `data: "<html>"`: ExitUnknown,
	} {
		var w strings.Builder
		if got := Fail(&w, "text", Creates, status.Error(codes.Unimplemented, text)); got != want {
			t.Errorf("%s: got %v\n%s", text, got, &w)
		}
	}
}
