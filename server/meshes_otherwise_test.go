package server_test

import (
	"context"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/emulator"
)

// without returns the block without what the pattern matches.
func without(t *testing.T, block, pattern string) string {
	t.Helper()
	changed := regexp.MustCompile(pattern).ReplaceAllString(block, "")
	if changed == block {
		t.Fatalf("the page's block has no %s", pattern)
	}
	return changed
}

// The page says what happens without some of its lines.
func TestMeshes_WithoutALineOfThePage_DoAsThePageSays(t *testing.T) {
	nginx, envoy := proxies[0], proxies[1]
	arrive := func(t *testing.T, p proxy, block string, want map[string]int) codes.Code {
		t.Helper()
		counts, code := sendWrites(t, p, block)
		for name, n := range counts {
			if n != want[name] {
				t.Errorf("%s arrived %d times, want %d", name, n, want[name])
			}
		}
		return code
	}
	t.Run("nginx repeats a DELETE by default", func(t *testing.T) {
		block := without(t, nginx.block(t), `(?m)^ *(grpc|proxy)_next_upstream off;.*\n`)
		arrive(t, nginx, block, map[string]int{"CopyTemplate": 1, "DeleteIntegration": 1, "POST": 1, "PATCH": 1, "DELETE": 2})
	})
	t.Run("nginx's buffer is too small for an error by default", func(t *testing.T) {
		s := &telling{left: make(chan time.Duration, 8)}
		backend := []string{serveGRPC(t, s)}
		grpcAddr, _ := nginx.start(t, without(t, nginx.block(t), `(?m)^ *grpc_buffer_size .*\n`), backend, backend)
		ctx, cancel := context.WithTimeout(t.Context(), 17*time.Second)
		defer cancel()
		_, err := noRetries(t, grpcAddr).CopyTemplate(ctx, new(integrationv1.CopyTemplateRequest))
		if e := apierror.FromError(err); len(status.Convert(err).Details()) != 0 || strings.HasPrefix(e.Message, "mmm") {
			t.Errorf("digate's own verdict came through: %v", err)
		}
	})
	t.Run("nginx refuses a long token by default", func(t *testing.T) {
		_, url := emulate(t, emulator.Options{})
		d := start(t, url)
		_, restAddr := nginx.start(t, without(t, nginx.block(t), `(?m)^ *large_client_header_buffers .*\n`), []string{d.GRPCAddr().String()}, []string{d.HTTPAddr().String()})
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		for length, want := range map[int]int{1 << 10: http.StatusCreated, 8 << 10: http.StatusBadRequest} {
			authorization := "Bearer " + token + strings.Repeat("x", length-len(token))
			got := send(t, client, http.MethodPost, "http://"+restAddr, "/v1/integration/template/"+goodTemplate+"/copy", "{}", "Authorization", authorization)
			if got.status != want {
				t.Errorf("a token of %d bytes: %d, want %d", length, got.status, want)
			}
		}
	})
	t.Run("Envoy obeys callers who ask for retries", func(t *testing.T) {
		block := without(t, envoy.block(t), `(?m)^ *request_headers_to_remove: .*\n`)
		arrive(t, envoy, block, map[string]int{"CopyTemplate": 4, "DeleteIntegration": 4, "POST": 4, "PATCH": 4, "DELETE": 4})
	})
	t.Run("Envoy calls a lost response UNAVAILABLE", func(t *testing.T) {
		block := localReplies.ReplaceAllString(envoy.block(t), "$1")
		if code := arrive(t, envoy, block, map[string]int{"CopyTemplate": 1, "DeleteIntegration": 1, "POST": 1, "PATCH": 1, "DELETE": 1}); code != codes.Unavailable {
			t.Errorf("the copy ended with %s", code)
		}
	})
}
