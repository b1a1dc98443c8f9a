//go:build !race

package upstream

import (
	"io"
	"net/http"
	"strings"
	"testing"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/test/rig"
)

// The bound is what a copy takes today besides its connection: from the message
// to the HTTP request, and from the response back to the message.
func TestAllocations_Call_AreBounded(t *testing.T) {
	header := http.Header{"Content-Type": {"application/json"}}
	c := newClientOf(t, func(r *http.Request) (*http.Response, error) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return nil, err
		}
		return &http.Response{
			StatusCode: http.StatusCreated, Header: header, Body: io.NopCloser(strings.NewReader(rig.QuickResponse)),
			ContentLength: int64(len(rig.QuickResponse)), ProtoMajor: 1, ProtoMinor: 1,
		}, nil
	})
	req := benchRequest(t)
	const bound = 36
	if got := testing.AllocsPerRun(1000, func() {
		ctx, _ := exchange.NewContext(t.Context())
		var resp integrationv1.CopyTemplateResponse
		if err := c.Call(ctx, Call{Method: copyTemplate, Request: req, Response: &resp}); err != nil {
			t.Error(err)
		}
	}); got > bound {
		t.Errorf("%v allocations, want %v at most", got, bound)
	}
}
