package clients

import (
	"net/http"
	"os"
	"testing"
	"time"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
)

func published(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../../docs/service-config.json")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// eager is a service config that repeats writes, as a careless caller's may.
const eager = `{"methodConfig": [{"name": [{}], "retryPolicy": {
	"maxAttempts": 5, "initialBackoff": "0.01s", "maxBackoff": "0.01s", "backoffMultiplier": 1,
	"retryableStatusCodes": ["UNAVAILABLE", "UNKNOWN", "INTERNAL"]}}]}`

func followsConfig(c client) bool { return c.config }

func get() *integrationv1.GetTemplateRequest {
	return &integrationv1.GetTemplateRequest{TemplateId: templateID}
}

func copyOf() *integrationv1.CopyTemplateRequest {
	return &integrationv1.CopyTemplateRequest{TemplateId: templateID}
}

// The published service config repeats a read that failed, as often as it says. The
// failure must come without a header for that.
func TestServiceConfig_Read_IsRepeated(t *testing.T) {
	each(t, followsConfig, func(t *testing.T, c client) {
		for name, row := range map[string]struct {
			busy     int
			code     string
			requests int64
		}{"busy twice": {2, "OK", 3}, "busy always": {9, "UNAVAILABLE", 3}} {
			for _, compression := range []string{"", "gzip"} {
				up := newUpstream(t, func(w http.ResponseWriter, _ *http.Request, n int) {
					if n <= row.busy {
						busy(w, "0")
						return
					}
					template(w)
				})
				d := serve(t, up.URL, "--upstream-max-attempts", "1")
				end := c.calls(t, plan{Address: d.GRPC, ServiceConfig: published(t), Compression: compression, Calls: []call{newCall(t, "GetTemplate", get())}})[0]
				if n := up.requests.Load(); end.Code != row.code || n != row.requests {
					t.Errorf("%s, encoded with %q: %+v after %d requests, want %s after %d", name, compression, end, n, row.code, row.requests)
				}
				if end.Code != "OK" && len(end.Header) > 0 {
					t.Errorf("%s: the failure came with a header: %v", name, end.Header)
				}
			}
		}
	})
}

// The server says when a call may be repeated, and that a write whose outcome is
// unknown may not, whatever the client's own config says.
func TestPushback_ClientWithRetries_ObeysIt(t *testing.T) {
	each(t, followsConfig, func(t *testing.T, c client) {
		t.Run("after a second", func(t *testing.T) {
			var at [2]time.Time
			up := newUpstream(t, func(w http.ResponseWriter, _ *http.Request, n int) {
				at[min(n, 2)-1] = time.Now()
				if n == 1 {
					busy(w, "1")
					return
				}
				template(w)
			})
			d := serve(t, up.URL, "--upstream-max-attempts", "1")
			end := c.calls(t, plan{Address: d.GRPC, ServiceConfig: published(t), Calls: []call{newCall(t, "GetTemplate", get())}})[0]
			if waited := at[1].Sub(at[0]); end.Code != "OK" || up.requests.Load() != 2 || waited < time.Second || waited > 5*time.Second {
				t.Errorf("%+v after %d requests with %v between them", end, up.requests.Load(), waited)
			}
		})
		t.Run("a write without a verdict", func(t *testing.T) {
			up := newUpstream(t, func(w http.ResponseWriter, _ *http.Request, _ int) {
				respond(w, http.StatusInternalServerError, map[string]any{"status": "error", "error_code": "OOPS", "message": "oops"})
			})
			d := serve(t, up.URL)
			end := c.calls(t, plan{Address: d.GRPC, ServiceConfig: eager, Calls: []call{newCall(t, "CopyTemplate", copyOf())}})[0]
			if n := up.requests.Load(); n != 1 || end.Code != "INTERNAL" || end.Info["outcome"] != "UNKNOWN" || end.Trailer["grpc-retry-pushback-ms"] != "-1" {
				t.Errorf("%+v after %d requests", end, n)
			}
		})
	})
}
