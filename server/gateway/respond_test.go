package gateway

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/exchange"
)

// Diga's success is no response to a call that failed in digate afterwards.
func TestFail_AfterASuccessOfDiga_RespondsWithTheFailure(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		diga, want int
		relayed    bool
	}{{201, 500, false}, {404, 404, true}} {
		ctx, ex := exchange.NewContext(t.Context())
		ex.Status, ex.Relay, ex.Body = c.diga, true, []byte("of Diga")
		w := httptest.NewRecorder()
		_ = (*route)(nil).fail(ctx, w, apierror.Internal(errors.New("afterwards"), exchange.Done))
		if w.Code != c.want || (w.Body.String() == "of Diga") != c.relayed {
			t.Errorf("after a %d: %d %s", c.diga, w.Code, w.Body)
		}
	}
}

// What digate calls request_id is a header over REST. What Diga calls so is a field of its
// own, and its verdict stays one.
func TestFail_ViolationOfRequestID_NamesTheHeaderIfDigateConcludedIt(t *testing.T) {
	t.Parallel()
	ours := apierror.InvalidRequest(apierror.Violation{Field: "request_id", Description: "is too long", Reason: "VALUE_ERROR"})
	digas := apierror.FromResponse(apierror.Response{
		Status: http.StatusBadRequest,
		Body:   []byte(`{"detail":[{"loc":["body","request_id"],"msg":"is unknown","type":"value_error"}]}`),
	}, true, nil)
	for name, c := range map[string]struct {
		err    *apierror.Error
		status int
		header bool
	}{"digate's": {ours, http.StatusUnprocessableEntity, true}, "Diga's": {digas, http.StatusBadRequest, false}} {
		w := httptest.NewRecorder()
		_ = (*route)(nil).fail(t.Context(), w, c.err)
		if w.Code != c.status || strings.Contains(w.Body.String(), idempotencyField) != c.header {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}
