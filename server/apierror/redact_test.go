package apierror_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/exchange"
)

// shownBy returns everything that an error shows to anyone.
func shownBy(e *apierror.Error) string {
	a := e.REST(nil)
	b, err := json.Marshal(e)
	if err != nil {
		return err.Error()
	}
	return strings.Join([]string{
		e.Error(), fmt.Sprintf("%v %+v %#v %s %q", e, e, e, e, e),
		protojson.Format(e.GRPCStatus().Proto()), string(a.Body), fmt.Sprint(a.Header), string(b),
	}, "\n")
}

func TestFromResponse_EchoedSecrets_NeverShow(t *testing.T) {
	const secret = "s3cr3t_value"
	redact := func(s string) string { return strings.ReplaceAll(s, secret, "[redacted]") }
	bodies := map[string]string{
		"message":                   `{"error_code":"X_Y","message":"bad key s3cr3t_value!"}`,
		"message, escaped":          `{"error_code":"X_Y","message":"bad key s3cr3t\u005fvalue"}`,
		"detail string":             `{"detail":"bad key s3cr3t_value"}`,
		"msg":                       `{"detail":[{"msg":"bad s3cr3t_value","loc":["body","api_key"]}]}`,
		"type":                      `{"detail":[{"msg":"m","loc":["body","api_key"],"type":"s3cr3t_value"}]}`,
		"loc":                       `{"detail":[{"msg":"m","loc":["body","variables","s3cr3t_value"]}]}`,
		"input":                     `{"detail":[{"msg":"m","loc":["body","api_key"],"input":"s3cr3t_value","ctx":{"e":"s3cr3t_value"},"url":"https://s3cr3t_value/"}]}`,
		"other member":              `{"error_code":"X_Y","message":"m","request":"s3cr3t_value"}`,
		"HTML":                      `<html>s3cr3t_value</html>`,
		"text":                      `s3cr3t_value`,
		"truncated":                 `{"error_code":"X_Y","message":"bad key s3cr3t_value`,
		"at the cut of the message": `{"error_code":"X_Y","message":"` + strings.Repeat("a", 975) + `s3cr3t_value"}`,
		"at the cut of the msg":     `{"detail":[{"msg":"` + strings.Repeat("a", 500) + `s3cr3t_value` + strings.Repeat("a", 500) + `"}]}`,
	}
	for name, body := range bodies {
		for _, status := range []int{200, 302, 400, 404, 422, 500, 502, 503} {
			shown := shownBy(apierror.FromResponse(response(status, body), true, redact))
			for n := len(secret); n > 4; n-- { // nor a good part of it
				if strings.Contains(strings.ToLower(shown), secret[:n]) {
					t.Errorf("%s, HTTP %d: %q shows:\n%s", name, status, secret[:n], shown)
					break
				}
			}
		}
	}
}

func TestFromResponse_SecretThatIsAReason_IsNotTheReason(t *testing.T) {
	redact := func(s string) string { return strings.ReplaceAll(s, "AKIA0123", "[redacted]") }
	e := apierror.FromResponse(response(404, `{"error_code":"AKIA0123","message":"m"}`), true, redact)
	if strings.Contains(shownBy(e), "AKIA0123") {
		t.Error(shownBy(e))
	}
}

func TestFromResponse_SecretWithControlCharacters_IsRedactedAsItIsAndAsCleaned(t *testing.T) {
	tests := []struct{ secret, message string }{
		{"two\nlines", `two\nlines`},    // replaced before cleaning, or it would not be found
		{"two lines", `two\u0000lines`}, // brought about by cleaning
	}
	for _, test := range tests {
		redact := func(s string) string { return strings.ReplaceAll(s, test.secret, "[redacted]") }
		e := apierror.FromResponse(response(404, `{"error_code":"X_Y","message":"`+test.message+`"}`), true, redact)
		if e.Message != "[redacted]" {
			t.Errorf("%q: got %q", test.secret, e.Message)
		}
	}
}

// dialError is no pointer, so that %#v of what holds it would print it.
type dialError struct{ text string }

func (e dialError) Error() string { return e.text }

func TestError_Cause_IsUnwrappedAndNeverShown(t *testing.T) {
	var cause error = dialError{"dial tcp 10.1.2.3:443: hunter2"}
	for _, e := range []*apierror.Error{
		apierror.Unreachable(cause), apierror.NotBegun(cause), apierror.ResponseLost(cause, true),
		apierror.Internal(cause, exchange.NotSent), apierror.FromError(cause),
		apierror.FromError(fmt.Errorf("%w: %w", cause, apierror.RouteNotFound().GRPCStatus().Err())),
		apierror.FromResponse(apierror.Response{Status: 201, ReadErr: cause}, true, nil),
		apierror.FromResponse(apierror.Response{Status: 502, ReadErr: cause}, true, nil),
	} {
		if !errors.Is(e, cause) {
			t.Errorf("%v does not unwrap to its cause", e)
		}
		if shown := shownBy(e); strings.Contains(shown, "hunter2") || strings.Contains(shown, "10.1.2.3") {
			t.Errorf("the cause shows:\n%s", shown)
		}
	}
}

func TestError_Text_HoldsNoMessageAndNoField(t *testing.T) {
	e := apierror.FromResponse(response(422, `{"detail":[{"msg":"hunter2","loc":["body","hunter3"]}]}`), true, nil)
	if got, want := e.Error(), "InvalidArgument INVALID_REQUEST (diga.io, REJECTED, HTTP 422)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := apierror.RouteNotFound().Error(), "NotFound ROUTE_NOT_FOUND (digate, NOT_SENT)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
