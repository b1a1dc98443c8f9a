package apierror_test

import (
	"testing"

	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"

	"github.com/digate/digate/server/apierror"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// public is the public half of an error, comparable with reflect.DeepEqual.
type public struct {
	Code                             codes.Code
	Reason, Domain, Outcome, Message string
	HTTPStatus                       int
	Violations                       []apierror.Violation
	RetryAfter                       string
	RetryUnsafe                      bool
	IntegrationIDs, ToolIDs          []string
}

func publicHalf(e *apierror.Error) public {
	p := public{
		Code: e.Code, Reason: e.Reason, Domain: e.Domain, Outcome: e.Outcome.String(), Message: e.Message,
		HTTPStatus: e.HTTPStatus, Violations: e.Violations, RetryUnsafe: e.RetryUnsafe(), IntegrationIDs: e.IntegrationIDs, ToolIDs: e.ToolIDs,
	}
	if e.RetryAfter != nil {
		p.RetryAfter = e.RetryAfter.String()
	}
	return p
}
