package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc/metadata"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/certs/certstest"
	"github.com/digate/digate/server/config"
	"github.com/digate/digate/test/await"
)

// Everything that a server takes anew changes at once, again and again, and is asked for
// from several sides, while callers call on both protocols. No call fails, every write has
// its lines of audit in one of the files, and the last of everything is in force.
func TestReload_AllAtOnceUnderLoad_FailsNoCallAndLosesNoAuditLine(t *testing.T) {
	t.Parallel()
	const rounds = 8
	w := newWithAccounts(t)
	a := certstest.NewAuthority(t)
	dir := t.TempDir()
	audit := filepath.Join(dir, "audit.log")
	var pairs string
	w.digate = start(t, w.diga.URL, w.use, auditTo(audit, true), func(c *config.Config) { pairs = withPair(t, a, c) })

	ctx, stop := context.WithCancel(t.Context())
	var load, changes sync.WaitGroup
	var writes atomic.Int64
	called := make(chan struct{})
	made := func(how string, err error) {
		if err != nil {
			t.Errorf("%s: %v", how, err)
		}
		writes.Add(1)
		select {
		case called <- struct{}{}:
		default:
		}
	}
	authorization := w.asREST("billing", "")[1]
	for range 2 {
		rpc := dialTLS(t, w.digate, a.Client(t))
		load.Go(func() {
			for ctx.Err() == nil {
				_, err := rpc.CopyTemplate(metadata.AppendToOutgoingContext(t.Context(), "authorization", authorization), &integrationv1.CopyTemplateRequest{TemplateId: accountTemplate})
				made("gRPC", err)
			}
		})
		client := httpTLS(t, a.Client(t), false)
		load.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				if n%5 == 0 {
					client.CloseIdleConnections()
				}
				resp := send(t, client, http.MethodPost, w.rest, "/v1/integration/template/"+accountTemplate+"/copy", "{}", "Authorization", authorization)
				err := error(nil)
				if resp.status != http.StatusCreated {
					err = fmt.Errorf("%d %s", resp.status, resp.body)
				}
				made("REST", err)
			}
		})
	}
	each := func(change func(n int)) {
		changes.Go(func() {
			for n := range rounds {
				change(n)
				await.Value(t, called, "a call after a change")
			}
		})
	}
	each(func(n int) {
		w.setFile(t, accountsFile+strings.Repeat("#\n", n+1))
		w.setToken(t, "acme", fmt.Sprintf("sk-acme-%d", n))
		w.Reload(t.Context())
	})
	each(func(n int) { a.Pair(t, pairs, "127.0.0.1", fmt.Sprintf("v%d.test", n)); w.Reload(t.Context()) })
	each(func(n int) {
		if err := await.Poll(await.Patience, nil, func() error { // until the file is opened again, which its writer does
			return os.Rename(audit, fmt.Sprintf("%s.%d", audit, n))
		}); err != nil {
			t.Error(err)
		}
		w.Reload(t.Context())
	})
	each(func(n int) {
		level := []string{"DEBUG", "WARN", "INFO"}[n%3]
		if got := send(t, w.http, http.MethodPut, w.adminURL, "/log-level", `{"level":"`+level+`","for":"10m"}`); got.status != http.StatusOK {
			t.Errorf("the level %s: %d %s", level, got.status, got.body)
		}
		w.Reload(t.Context())
	})
	each(func(int) { w.scrape(t); w.Reload(t.Context()) })
	changes.Wait()
	stop()
	load.Wait()

	w.diga.took()
	w.Reload(t.Context())
	if _, err := dialTLS(t, w.digate, a.Client(t)).CopyTemplate(metadata.AppendToOutgoingContext(t.Context(), "authorization", authorization), &integrationv1.CopyTemplateRequest{TemplateId: accountTemplate}); err != nil {
		t.Fatal(err)
	}
	if got, want := w.diga.took(), []string{fmt.Sprintf("sk-acme-%d", rounds-1)}; !slices.Equal(got, want) {
		t.Errorf("Diga was called with %q, want %q", got, want)
	}
	w.stop()
	await.Value(t, w.ended, "the end of the server")
	wantAuditLines(t, audit, rounds, int(writes.Load())+1)
}

// wantAuditLines fails the test unless the files of an audit log have each of these writes
// once, begun and ended, by their numbers.
func wantAuditLines(t *testing.T, path string, rotated, writes int) {
	t.Helper()
	var text []byte
	for n := range rotated {
		part, err := os.ReadFile(fmt.Sprintf("%s.%d", path, n))
		must(t, err)
		text = append(text, part...)
	}
	last, err := os.ReadFile(path)
	must(t, err)
	numbers := make(map[string][]int)
	for line := range strings.Lines(string(append(text, last...))) {
		var l struct {
			Event string
			Write int
		}
		must(t, json.Unmarshal([]byte(line), &l))
		numbers[l.Event] = append(numbers[l.Event], l.Write)
	}
	want := make([]int, writes)
	for i := range want {
		want[i] = i + 1
	}
	for _, event := range []string{"begin", "end"} {
		if slices.Sort(numbers[event]); !slices.Equal(numbers[event], want) {
			t.Errorf("of %d writes, these have a line %q: %v", writes, event, numbers[event])
		}
	}
	if n := len(numbers["lost"]) + len(numbers["omitted"]); n > 0 || len(numbers["reopened"]) < rotated {
		t.Errorf("%d lines tell of others that are missing; the file was opened %d times again", n, len(numbers["reopened"]))
	}
}
