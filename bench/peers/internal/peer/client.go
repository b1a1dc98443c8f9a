package peer

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/digate/digate/bench/peers/internal/fixture"
	"github.com/digate/digate/bench/peers/internal/load"
	"github.com/digate/digate/bench/peers/internal/process"
)

// serveClient serves the other half of the parts: a client that sends the REST
// requests of a facade with net/http and reads the responses. It runs when told to.
func serveClient(s Settings, c *Control) (process.Serving, error) {
	transport, err := s.transport()
	if err != nil {
		return process.Serving{}, err
	}
	base, err := url.Parse(s.Upstream)
	if err != nil {
		return process.Serving{}, err
	}
	c.mux.HandleFunc("GET /run", func(w http.ResponseWriter, r *http.Request) {
		var plan load.Plan
		err := json.Unmarshal([]byte(r.FormValue("plan")), &plan)
		if err == nil {
			variables := fixture.NewVariables(plan.Variables)
			var result load.Result
			result, err = load.Run(r.Context(), plan, func(ctx context.Context, _, n int) error {
				return directly(ctx, transport, base, n, variables)
			})
			if err == nil {
				err = json.NewEncoder(w).Encode(result)
			}
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	return process.Serving{}, nil
}

// directly makes a copy without a facade.
func directly(ctx context.Context, transport *http.Transport, base *url.URL, n int, variables fixture.Variables) error {
	body := fixture.AppendBody(make([]byte, 0, 512), n, variables)
	req := http.Request{
		Method: http.MethodPost, Host: base.Host, ProtoMajor: 1, ProtoMinor: 1,
		URL:    &url.URL{Scheme: base.Scheme, Host: base.Host, Path: fixture.Path},
		Header: http.Header{"Content-Type": contentJSON, "Authorization": {fixture.Authorization}},
		Body:   io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
	}
	resp, err := transport.RoundTrip(req.WithContext(ctx))
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	got, err := read(resp)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusCreated || !bytes.Equal(got, fixture.AppendResponse(make([]byte, 0, 512), n)) {
		return fmt.Errorf("copy %d: %s: %s", n, resp.Status, got)
	}
	return nil
}
