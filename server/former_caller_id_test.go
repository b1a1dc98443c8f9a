package server_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	digatev1 "github.com/digate/digate/gen/digate/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/config"
	"github.com/digate/digate/server/ledger/postgres/pgtest"
)

// A ledger that digate made at commit 71bf451, when a caller was its token, is in
// testdata/former, as a file of SQLite and as the statements of pg_dump. The records were
// made with the token there, which an issuer with the keys in jwks.json signed, and with
// a retention of a hundred years:
//
//	done     a copy of a template that was made
//	created  an integration that was created
//	doubt    a copy whose response was lost, and so is settled
//	lapsed   a copy whose server was killed while it was sent
const madeFormerly = "testdata/former"

// formerRetention is the retention that the records were made with.
const formerRetention = 876000 * time.Hour

// formerToken returns the token that the records were made with.
func formerToken(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(madeFormerly, "token"))
	must(t, err)
	return strings.TrimSpace(string(text))
}

// onFormerLedger returns the settings of a copy of the ledger, by the engine's name.
func onFormerLedger(t *testing.T, server *pgtest.Server, engine string) func(*config.Config) {
	t.Helper()
	key := filepath.Join(t.TempDir(), "ledger.key")
	copyFile(t, "ledger.key", key)
	spec := "sqlite:" + filepath.Join(t.TempDir(), "ledger.db")
	if engine == "sqlite" {
		copyFile(t, "ledger.db", strings.TrimPrefix(spec, "sqlite:"))
	} else {
		statements, err := os.ReadFile(filepath.Join(madeFormerly, "ledger.sql"))
		must(t, err)
		spec = server.NewDatabase()
		server.Exec(spec, string(statements))
	}
	return func(c *config.Config) {
		c.Ledger.Spec, c.Ledger.KeyFile, c.Ledger.Retention = spec, key, formerRetention
	}
}

func copyFile(t *testing.T, name, to string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(madeFormerly, name))
	must(t, err)
	must(t, os.WriteFile(to, b, 0o600))
}

// identity is a way to know the callers of the records by something else than their
// token.
type identity struct {
	use func(*config.Config)
	// as returns the context of a caller's call, and header what it is over REST.
	as     func(context.Context) context.Context
	header []string
}

// newMaker returns a Diga that makes what it is asked for and has an empty list.
func newMaker(t *testing.T) *scripted {
	t.Helper()
	up := newScripted(t)
	up.will(makes)
	return up
}

func makes(c net.Conn, r sent) bool {
	if strings.HasPrefix(r.line, "GET /v1/integration?") {
		return respond(200, nil, `{"data":[],"has_more":false}`)(c, r)
	}
	return respond(201, nil, full)(c, r)
}

func wereTokens(c *config.Config) { c.FormerCallerID = "token" }

// identities returns the ways, with callers that had the token.
func identities(t *testing.T, token string) map[string]identity {
	t.Helper()
	w := newWithAccounts(t)
	w.setToken(t, "acme", token)
	keys, err := filepath.Abs(filepath.Join(madeFormerly, "jwks.json"))
	must(t, err)
	return map[string]identity{
		"accounts": {w.use, func(ctx context.Context) context.Context { return w.as(ctx, "ops", "acme") }, w.asREST("ops", "acme")},
		"claim": {withClaim(&issuer{keys: keys}), func(ctx context.Context) context.Context { return withToken(ctx, token) },
			[]string{"Authorization", "Bearer " + token}},
	}
}

// A copy that was made, or may have been made, when a caller was its token is not made
// again once the caller is something else.
func TestFormerCallerID_LedgerOfAnEarlierDigate_Counts(t *testing.T) {
	t.Parallel()
	token, server := formerToken(t), pgtest.Start(t)
	for _, engine := range []string{"sqlite", "postgres"} {
		for way, who := range identities(t, token) {
			t.Run(engine+", "+way, func(t *testing.T) {
				up := newMaker(t)
				d := start(t, up.url(), onFormerLedger(t, server, engine), who.use, wereTokens)
				records, ctx := digatev1.NewLedgerServiceClient(d.conn), who.as(t.Context())
				request := func(id, template string) *integrationv1.CopyTemplateRequest {
					return &integrationv1.CopyTemplateRequest{TemplateId: template, Name: new("n"), RequestId: id}
				}
				const made, lost, hangs = "3c90c3cc-0d44-4b50-8888-8dd25736052a", "00000000-0000-4000-8000-000000000603", "00000000-0000-4000-8000-000000000601"
				for id, c := range map[string]struct {
					template string
					code     codes.Code
				}{
					"done": {made, codes.AlreadyExists}, "doubt": {lost, codes.Aborted}, "settled": {lost, codes.Aborted}, "lapsed": {hangs, codes.Aborted},
				} {
					if _, e := d.copyCtx(ctx, request(id, c.template)); e == nil || e.Code != c.code {
						t.Errorf("%s: %v, want %v", id, e, c.code)
					}
				}
				if _, e := d.copyCtx(ctx, request("done", lost)); e == nil || e.Code != codes.InvalidArgument {
					t.Errorf("another request under an id that was used: %v", e)
				}
				body := `{"name":"n","base_url":"https://x.example","auth_type":"NONE","integration_type":"HTTP"}`
				if r := d.do(t, "POST", "/v1/integration", body, append(who.header, "Idempotency-Key", "created")...); r.status != http.StatusConflict {
					t.Errorf("a created integration: %d %s", r.status, r.body)
				}
				if n := posts(up); n != 0 {
					t.Fatalf("%d calls were made again", n)
				}
				// A doubt from before is shown and settled, and its id is free then.
				got, err := records.GetCopy(ctx, &digatev1.GetCopyRequest{RequestId: "settled"})
				if err != nil || got.GetCopy().GetState() != digatev1.Copy_STATE_UNKNOWN {
					t.Fatalf("got %v, %v", got, err)
				}
				_, err = records.ResolveCopy(ctx, &digatev1.ResolveCopyRequest{RequestId: "settled", Resolution: &digatev1.ResolveCopyRequest_NotCreated{NotCreated: true}})
				must(t, err)
				for range 2 {
					if in, e := d.copyCtx(ctx, request("settled", lost)); e != nil || in.GetId() != id {
						t.Errorf("after the doubt was settled: %v %v", in, e)
					}
				}
				if n := posts(up); n != 1 {
					t.Errorf("%d copies were made", n)
				}
				if line := `"ledger_record":"` + got.GetCopy().GetRecord(); !strings.Contains(d.log.String(), line) {
					t.Error("the log does not name the record from before")
				}
			})
		}
	}
}

// Servers are replaced one by one. Those before the change, those with the setting and,
// when it is over, those without it send each copy once between them.
func TestFormerCallerID_ServersAreReplacedOneByOne_EachCopyIsMadeOnce(t *testing.T) {
	t.Parallel()
	const copies = 10
	token, server := formerToken(t), pgtest.Start(t)
	for _, engine := range []string{"sqlite", "postgres"} {
		for way, who := range identities(t, token) {
			t.Run(engine+", "+way, func(t *testing.T) {
				up := newMaker(t)
				on := onFormerLedger(t, server, engine)
				asToken := func(ctx context.Context) context.Context { return withToken(ctx, token) }
				before, between := start(t, up.url(), on), start(t, up.url(), on, who.use, wereTokens)
				total := 0
				atOnce := func(phase string, servers map[*digate]func(context.Context) context.Context) {
					var all sync.WaitGroup
					for n := range copies {
						for d, as := range servers {
							all.Go(func() {
								in, e := d.copyCtx(as(t.Context()), &integrationv1.CopyTemplateRequest{TemplateId: templateID, RequestId: fmt.Sprint(phase, n)})
								if e != nil || in.GetId() != id {
									t.Errorf("%s, copy %d: %v %v", phase, n, in, e)
								}
							})
						}
					}
					all.Wait()
					total += copies
					if n := posts(up); n != total {
						t.Errorf("%s: %d copies were made, want %d", phase, n, total)
					}
				}
				atOnce("before and between ", map[*digate]func(context.Context) context.Context{before: asToken, between: who.as})
				before.stop()
				<-before.ended
				after := start(t, up.url(), on, who.use)
				atOnce("between and after ", map[*digate]func(context.Context) context.Context{between: who.as, after: who.as})
			})
		}
	}
}

// A doubt of a call with two records is settled for servers of both kinds.
func TestFormerCallerID_DoubtIsSettled_ItStaysSettledForServersBefore(t *testing.T) {
	t.Parallel()
	token := formerToken(t)
	for way, who := range identities(t, token) {
		up := newScripted(t)
		up.will(raw("", true))
		on := onFormerLedger(t, nil, "sqlite")
		before, between := start(t, up.url(), on), start(t, up.url(), on, who.use, wereTokens)
		req := &integrationv1.CopyTemplateRequest{TemplateId: templateID, RequestId: "new"}
		if _, e := between.copyCtx(who.as(t.Context()), req); e == nil || e.Outcome.String() != "UNKNOWN" {
			t.Fatalf("%s: no doubt: %v", way, e)
		}
		if _, e := before.copyCtx(withToken(t.Context(), token), req); e == nil || e.Reason != apierror.ReasonOutcomeUnknown {
			t.Errorf("%s: a server before: %v", way, e)
		}
		_, err := digatev1.NewLedgerServiceClient(between.conn).ResolveCopy(who.as(t.Context()), &digatev1.ResolveCopyRequest{
			RequestId: "new", Resolution: &digatev1.ResolveCopyRequest_NotCreated{NotCreated: true},
		})
		must(t, err)
		up.will(makes)
		for d, as := range map[*digate]func(context.Context) context.Context{
			before: func(ctx context.Context) context.Context { return withToken(ctx, token) }, between: who.as,
		} {
			if _, e := d.copyCtx(as(t.Context()), req); e != nil {
				t.Errorf("%s: %v", way, e)
			}
		}
		if n := posts(up); n != 1 {
			t.Errorf("%s: %d copies after the doubt was settled", way, n)
		}
	}
}
