package validate_test

import (
	"errors"
	"reflect"
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/digajson"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/server/validate"
)

func TestRefusal_OfACodec_NamesThePlaceAsItIsTold(t *testing.T) {
	t.Parallel()
	wrong := &digajson.Error{Path: []any{"a", 2}, Kind: "string_type", Message: "must be a string", Offset: 7}
	got := validate.Refusal(wrong, func(e *digajson.Error) string { return "at " + e.Field() })
	want := apierror.Violation{Field: "at a[2]", Path: []any{"a", 2}, Description: "must be a string", Reason: "STRING_TYPE"}
	if got.Code != codes.InvalidArgument || got.Outcome != exchange.NotSent || len(got.Violations) != 1 || !reflect.DeepEqual(got.Violations[0], want) {
		t.Errorf("got %+v", got)
	}
}

func TestRefusal_OfAnythingElse_IsInternalAndNothingWasSent(t *testing.T) {
	t.Parallel()
	got := validate.Refusal(errors.New("no codec"), nil)
	if got.Code != codes.Internal || got.Outcome != exchange.NotSent || got.Violations != nil {
		t.Errorf("got %+v", got)
	}
}
