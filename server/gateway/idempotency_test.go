package gateway

import (
	"testing"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
)

// With two keys, nobody could say which of them finds the copy again.
func TestSetRequestID_NoneSeveralOrEmptyKeys_NameNoCall(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		keys []string
		want string
		ok   bool
	}{
		{nil, "", true},
		{[]string{"one"}, "one", true},
		{[]string{`"one"`}, "one", true},
		{[]string{""}, "", false},
		{[]string{`""`}, "", false},
		{[]string{"one", "two"}, "", false},
		{[]string{"one", "one"}, "", false},
	} {
		m := new(integrationv1.CopyTemplateRequest)
		err := setRequestID(c.keys, m.ProtoReflect())
		if (err == nil) != c.ok || m.GetRequestId() != c.want {
			t.Errorf("%q: %q, %v", c.keys, m.GetRequestId(), err)
		}
		if e := apierror.FromError(err); err != nil && (len(e.Violations) != 1 || e.Violations[0].Field != idempotencyField) {
			t.Errorf("%q: %+v", c.keys, e)
		}
	}
}
