package gateway_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/digate/digate/server/gateway"
)

// A request that never reached the service did nothing, whatever kept it away.
func TestGateway_ServiceThatWasNotReached_IsNotSent(t *testing.T) {
	t.Parallel()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	h, _ := newHandler(t, nil) // no service is there
	for _, c := range []struct {
		verb, path, body string
		ctx              context.Context
		status           int
	}{
		{http.MethodGet, "/v1/integration", "", t.Context(), 501},
		{http.MethodPost, "/v1/integration", `{"name":"n"}`, t.Context(), 501},
		{http.MethodGet, "/v1/integration", "", ended, 499},
		{http.MethodPost, gateway.BulkPath, "", t.Context(), 200},
		{http.MethodPost, gateway.BulkPath, "", ended, 200},
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(c.ctx, c.verb, c.path, strings.NewReader(c.body)))
		outcome := w.Header().Get("Digate-Outcome")
		if c.status == 200 && strings.Contains(w.Body.String(), `"outcome":"NOT_SENT"`) {
			outcome = "NOT_SENT" // in its line
		}
		if w.Code != c.status || outcome != "NOT_SENT" {
			t.Errorf("%s %s: %d %q %s", c.verb, c.path, w.Code, outcome, w.Body)
		}
	}
}
