package server_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"google.golang.org/protobuf/types/known/structpb"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	digatev1 "github.com/digate/digate/gen/digate/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/config"
	"github.com/digate/digate/server/emulator"
)

func withID(id string) *integrationv1.CopyTemplateRequest {
	key := apiKey
	return &integrationv1.CopyTemplateRequest{TemplateId: templateID, RequestId: id, ApiKey: &key, Variables: structOf("shop", varSec)}
}

func posts(up *scripted) (n int) {
	for _, r := range up.received() {
		if strings.HasPrefix(r.line, "POST ") {
			n++
		}
	}
	return n
}

func TestRequestID_SameOnBothProtocols_IsOneCopy(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	up.will(respond(201, nil, full))
	d := start(t, up.url())
	body := fmt.Sprintf(`{"api_key":%q,"variables":{"shop":%q}}`, apiKey, varSec)
	for i := range 4 {
		if i%2 == 0 {
			var header metadata.MD
			resp, err := d.rpc.CopyTemplate(withToken(t.Context(), token), withID("one"), grpc.Header(&header))
			if err != nil || resp.GetIntegration().GetId() != id {
				t.Fatal(resp, err)
			}
			if got := strings.Join(header.Get("digate-replayed"), ""); (got == "true") != (i > 0) {
				t.Errorf("call %d: digate-replayed %q", i, got)
			}
			continue
		}
		if rest := d.copyREST(t, templateID, body, "Idempotency-Key", "one"); rest.status != 201 || rest.body != full {
			t.Errorf("%d %s", rest.status, rest.body)
		}
	}
	if posts(up) != 1 {
		t.Errorf("%d copies", posts(up))
	}
	// Another token is another caller.
	if _, err := d.rpc.CopyTemplate(withToken(t.Context(), "other"), withID("one")); err != nil || posts(up) != 2 {
		t.Errorf("%v, %d copies", err, posts(up))
	}
}

// Two spellings of one value are one value, over either protocol.
func TestRequestID_OtherSpellingsOfTheRequest_AreTheSameRequest(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	up.will(respond(201, nil, full))
	d := start(t, up.url())
	for key, bodies := range map[string][]string{
		"none":    {`{}`, `{"variables":{}}`, `{"variables":null,"name":null}`},
		"numbers": {`{"variables":{"a":[-0],"b":1}}`, `{"variables":{"b":1.0,"a":[0]}}`, `{"variables":{"a":[0.0],"b":1e0}}`},
	} {
		before := posts(up)
		for i, body := range bodies {
			for _, template := range []string{templateID, strings.ToUpper(templateID)} {
				rest := d.copyREST(t, template, body, "Idempotency-Key", key)
				if rest.status != 201 || rest.body != full {
					t.Errorf("%s, %s to %s: %d %s", key, body, template, rest.status, rest.body)
				}
			}
			if posts(up) != before+1 {
				t.Errorf("%s, %d: %d copies", key, i, posts(up)-before)
			}
		}
	}
	for _, variables := range []*structpb.Struct{nil, {}, {Fields: map[string]*structpb.Value{}}} {
		req := &integrationv1.CopyTemplateRequest{TemplateId: strings.ToUpper(templateID), Variables: variables, RequestId: "none"}
		if _, err := d.copyRPC(t, req); err != nil {
			t.Errorf("gRPC, %v: %v", variables, err)
		}
	}
	for _, body := range []string{`{"name":""}`, `{"base_url":""}`, `{"variables":{"a":null}}`} {
		wantREST(t, d.copyREST(t, templateID, body, "Idempotency-Key", "none"), 422, "NOT_SENT", "")
	}
}

func TestRequestID_CallerTimesOut_RetryFindsTheCopy(t *testing.T) {
	up := newScripted(t)
	_, release := copiesWait(up)
	d := start(t, up.url())
	ctx, cancel := context.WithTimeout(withToken(t.Context(), token), 200*time.Millisecond)
	_, e := d.copyCtx(ctx, withID("slow"))
	cancel()
	if e == nil || e.Code != codes.DeadlineExceeded || e.Outcome.String() != "UNKNOWN" {
		t.Fatalf("%v", e)
	}
	ended := make(chan *apierror.Error, 1)
	go func() {
		_, e := d.copyRPC(t, withID("slow"))
		ended <- e
	}()
	close(release)
	if e := <-ended; e != nil || posts(up) != 1 {
		t.Errorf("%v, %d copies", e, posts(up))
	}
}

// The drain waits for the copy of a caller who left, and a new server on the same
// file replays it.
func TestRequestID_CallerLeftBeforeARestart_CopyIsFinishedAndRemembered(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	onFile := func(c *config.Config) { c.Ledger.Spec = "sqlite:" + path }
	up := newScripted(t)
	arrived, release := copiesWait(up)
	d := start(t, up.url(), onFile)
	ctx, cancel := context.WithCancel(withToken(t.Context(), token))
	gone := make(chan struct{})
	go func() { defer close(gone); _, _ = d.copyCtx(ctx, withID("left")) }()
	<-arrived
	cancel()
	<-gone
	d.stop()
	select {
	case <-d.ended:
		t.Error("the drain did not wait for a copy under way")
	case <-time.After(100 * time.Millisecond):
	}
	close(release)
	<-d.ended
	again := start(t, up.url(), onFile)
	if in, e := again.copyRPC(t, withID("left")); e != nil || in.GetId() != id || posts(up) != 1 {
		t.Errorf("%v %v, %d copies", in, e, posts(up))
	}
}

func TestRequestID_KeyFileThatIsNotTheLedgers_RefusesTheStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cfg := settings(t, "http://127.0.0.1:1")
	cfg.Ledger.Spec = "sqlite:" + filepath.Join(dir, "ledger.db")
	s, err := newServer(t.Context(), cfg, new(record))
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	other := filepath.Join(dir, "other.key")
	if err := os.WriteFile(other, []byte(strings.Repeat("ab", 32)), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg.Ledger.KeyFile = other
	if s, err := newServer(t.Context(), cfg, new(record)); err == nil || !strings.Contains(err.Error(), "--ledger: ") {
		t.Errorf("%v %v", s, err)
	}
}

func TestLedgerService_CopyInDoubt_IsShownToAndSettledByItsCallerAlone(t *testing.T) {
	t.Parallel()
	e, url := emulate(t, emulator.Options{}) // on the same clock as the ledger
	d := start(t, url)
	records := digatev1.NewLedgerServiceClient(d.conn)
	mine := withToken(t.Context(), token)

	doubt := func(id string) {
		t.Helper()
		_, err := d.copyCtx(mine, &integrationv1.CopyTemplateRequest{TemplateId: resetAfter, RequestId: id})
		if err == nil || err.Outcome.String() != "UNKNOWN" {
			t.Fatal(err)
		}
	}
	doubt("a")
	all := e.Integrations(token)
	if len(all) != 1 {
		t.Fatalf("%d integrations", len(all))
	}
	made := all[0].ID

	got, err := records.GetCopy(mine, &digatev1.GetCopyRequest{RequestId: "a"})
	if err != nil || got.GetCopy().GetState() != digatev1.Copy_STATE_UNKNOWN || len(got.GetCopy().GetCandidates()) != 1 ||
		got.GetCopy().GetCandidates()[0].GetIntegrationId() != made || got.GetCopy().GetTemplateId() != resetAfter {
		t.Fatalf("%v %v", got, err)
	}
	_, again := d.copyCtx(mine, &integrationv1.CopyTemplateRequest{TemplateId: resetAfter, RequestId: "a"})
	if again == nil || again.Code != codes.Aborted || strings.Join(again.IntegrationIDs, "") != made {
		t.Errorf("%v %v", again, again.IntegrationIDs)
	}

	theirs := withToken(t.Context(), "somebody-else")
	resolve := func(ctx context.Context, id string, how *digatev1.ResolveCopyRequest) *apierror.Error {
		how.RequestId = id
		_, err := records.ResolveCopy(ctx, how)
		fmt.Fprintln(&output, err)
		return apierror.FromError(err)
	}
	to := func(id string) *digatev1.ResolveCopyRequest {
		return &digatev1.ResolveCopyRequest{Resolution: &digatev1.ResolveCopyRequest_IntegrationId{IntegrationId: id}}
	}
	none := func(v bool) *digatev1.ResolveCopyRequest {
		return &digatev1.ResolveCopyRequest{Resolution: &digatev1.ResolveCopyRequest_NotCreated{NotCreated: v}}
	}
	for name, c := range map[string]struct {
		err  *apierror.Error
		code codes.Code
	}{
		"another caller":        {resolve(theirs, "a", to(made)), codes.NotFound},
		"an id never used":      {resolve(mine, "never", none(true)), codes.NotFound},
		"not a candidate":       {resolve(mine, "a", to(templateID)), codes.FailedPrecondition},
		"no resolution":         {resolve(mine, "a", &digatev1.ResolveCopyRequest{}), codes.InvalidArgument},
		"not_created is false":  {resolve(mine, "a", none(false)), codes.InvalidArgument},
		"an empty integration":  {resolve(mine, "a", to("")), codes.InvalidArgument},
		"a request id of bytes": {resolve(mine, "\x01", none(true)), codes.InvalidArgument},
		"no credential":         {resolve(t.Context(), "a", to(made)), codes.Unauthenticated},
	} {
		if c.err == nil || c.err.Code != c.code {
			t.Errorf("%s: %v, want %v", name, c.err, c.code)
		}
	}
	if err := resolve(mine, "a", to(made)); err != nil {
		t.Fatal(err)
	}
	if err := resolve(mine, "a", to(made)); err == nil || err.Code != codes.FailedPrecondition {
		t.Errorf("settled twice: %v", err)
	}
	in, again := d.copyCtx(mine, &integrationv1.CopyTemplateRequest{TemplateId: resetAfter, RequestId: "a"})
	if again != nil || in.GetId() != made {
		t.Errorf("%v %v", in, again)
	}
	if got, err := records.GetCopy(mine, &digatev1.GetCopyRequest{RequestId: "a"}); err != nil || got.GetCopy().GetState() != digatev1.Copy_STATE_DONE || got.GetCopy().GetIntegrationId() != made {
		t.Errorf("%v %v", got, err)
	}

	// The integration that settled the first doubt is no candidate for the second.
	doubt("b")
	got, err = records.GetCopy(mine, &digatev1.GetCopyRequest{RequestId: "b"})
	if err != nil || len(got.GetCopy().GetCandidates()) != 1 || got.GetCopy().GetCandidates()[0].GetIntegrationId() == made {
		t.Fatalf("%v %v", got, err)
	}
	if err := resolve(mine, "b", none(true)); err != nil {
		t.Fatal(err)
	}
	if _, err := records.GetCopy(mine, &digatev1.GetCopyRequest{RequestId: "b"}); apierror.FromError(err) == nil || apierror.FromError(err).Code != codes.NotFound {
		t.Errorf("after it was settled as not created: %v", err)
	}
	if n := strings.Count(d.log.String(), `"msg":"a call in doubt was settled"`); n != 2 {
		t.Errorf("%d audit lines", n)
	}
	// The line leads to the record, and names the method as the line of the call does.
	want := `"ledger_record":"` + got.GetCopy().GetRecord() + `","method":"diga.integration.v1.IntegrationService/CopyTemplate","parent_id":"` + resetAfter + `",`
	if !strings.Contains(d.log.String(), `"msg":"a call in doubt was settled","caller":`) || !strings.Contains(d.log.String(), want) {
		t.Errorf("no %s in %s", want, d.log.String())
	}

	ledgers, err := records.GetLedger(mine, &digatev1.GetLedgerRequest{})
	if err != nil || ledgers.GetStore() != "memory" || ledgers.GetDurable() || ledgers.GetRetention().AsDuration() != 24*time.Hour || len(ledgers.GetCaller()) != 32 {
		t.Errorf("%v %v", ledgers, err)
	}
	if other, err := records.GetLedger(theirs, &digatev1.GetLedgerRequest{}); err != nil || other.GetCaller() == ledgers.GetCaller() {
		t.Errorf("%v %v", other, err)
	}
}

func TestRequestID_RequiredAndMissing_IsRefusedOnBothProtocols(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	up.will(respond(201, nil, full))
	d := start(t, up.url(), func(c *config.Config) { c.Integration.RequireRequestID = true })
	_, e := d.copyRPC(t, &integrationv1.CopyTemplateRequest{TemplateId: templateID})
	if e == nil || e.Code != codes.InvalidArgument || e.Violations[0].Field != "request_id" {
		t.Errorf("%v", e)
	}
	rest := d.copyREST(t, templateID, `{}`)
	if wantREST(t, rest, 422, "NOT_SENT", ""); !strings.Contains(rest.body, `"loc":["header","idempotency-key"]`) {
		t.Error(rest.body)
	}
	wantREST(t, d.copyREST(t, templateID, `{}`, "Idempotency-Key", "k"), 201, "", "")
}

func TestRequestID_ManyAtOnceOnBothProtocols_AreOneCopy(t *testing.T) {
	t.Parallel()
	e, url := emulated(t)
	d := start(t, url)
	var wg sync.WaitGroup
	ids := make(chan string, 64)
	for i := range 64 {
		wg.Go(func() {
			if i%2 == 0 {
				in, err := d.copyRPC(t, &integrationv1.CopyTemplateRequest{TemplateId: templateID, RequestId: "same"})
				if err != nil {
					t.Error(err)
				}
				ids <- in.GetId()
				return
			}
			rest := d.copyREST(t, templateID, `{}`, "Idempotency-Key", "same")
			_, after, _ := strings.Cut(rest.body, `"id":"`)
			got, _, _ := strings.Cut(after, `"`)
			ids <- got
		})
	}
	wg.Wait()
	close(ids)
	all := e.Integrations(token)
	if len(all) != 1 {
		t.Fatalf("%d integrations", len(all))
	}
	for got := range ids {
		if got != all[0].ID {
			t.Errorf("the call returned %q, and %q was created", got, all[0].ID)
		}
	}
}
