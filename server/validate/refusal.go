package validate

import (
	"errors"
	"strings"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/digajson"
	"github.com/digate/digate/server/exchange"
)

// Refusal returns the error of a request that a codec refuses. For a [*digajson.Error],
// it is an invalid request with the field that the function returns. Any other error is
// digate's own. Nothing was sent in either case.
func Refusal(err error, field func(*digajson.Error) string) *apierror.Error {
	var e *digajson.Error
	if !errors.As(err, &e) {
		return apierror.Internal(err, exchange.NotSent)
	}
	return apierror.InvalidRequest(apierror.Violation{
		Field: field(e), Path: e.Elements(), Description: e.Message, Reason: strings.ToUpper(e.Kind),
	})
}
