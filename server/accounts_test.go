package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	digatev1 "github.com/digate/digate/gen/digate/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/config"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/test/await"
)

const otherTemplate = "3c90c3cc-0d44-4b50-8888-8dd257369999"

func TestAccounts_CallOfACaller_GoesToDigaWithTheTokenOfTheAccount(t *testing.T) {
	t.Parallel()
	w := startWithAccounts(t)
	for _, c := range []struct{ subject, account, want string }{
		{"billing", "", "acme"}, {"billing", "acme", "acme"}, {"ops", "globex", "globex"}, {"ops", "quota", "quota"},
	} {
		if e := w.copyAs(t, c.subject, c.account, accountTemplate, ""); e != nil {
			t.Errorf("%+v: %v: %s", c, e, e.Message)
		}
		r := w.copyREST(t, accountTemplate, "{}", w.asREST(c.subject, c.account)...)
		if r.status != http.StatusCreated {
			t.Errorf("%+v: REST %d %s", c, r.status, r.body)
		}
		if got, want := w.diga.took(), []string{accountToken(c.want), accountToken(c.want)}; !slices.Equal(got, want) {
			t.Errorf("%+v: Diga was called with %q", c, got)
		}
	}
	if line := `"account":"globex","caller":"ops"`; !strings.Contains(w.log.String(), line) {
		t.Errorf("no log line has %s", line)
	}
	if metric := `digate_caller_calls_total{account="globex",caller="ops",code="OK"} 2`; !strings.Contains(w.scrape(t), metric) {
		t.Errorf("the metrics lack %s", metric)
	}
}

// What is refused is refused on both protocols, for the same reason, and Diga hears
// nothing of it.
func TestAccounts_WhatTheFileDoesNotAllow_IsRefusedOnBothProtocols(t *testing.T) {
	t.Parallel()
	w := startWithAccounts(t)
	expired := []string{"Authorization", "Bearer " + w.issuer.token("ops", time.Now().Add(-time.Minute)), "Digate-Account", "acme"}
	for name, c := range map[string]struct {
		header   []string
		template string
		code     codes.Code
		status   int
		reason   string
		says     string
	}{
		"another template": {w.asREST("billing", ""), otherTemplate, codes.PermissionDenied, 403, "NOT_ALLOWED", "billing may not call CopyTemplate with this template in the account acme"},
		"another account":  {w.asREST("billing", "globex"), accountTemplate, codes.PermissionDenied, 403, "NOT_ALLOWED", "the caller may not use this account; it may use acme"},
		"no account named": {w.asREST("ops", ""), accountTemplate, codes.InvalidArgument, 422, "ACCOUNT_REQUIRED", "acme, globex, quota"},
		"a stranger":       {w.asREST("stranger", ""), accountTemplate, codes.Unauthenticated, 401, "INVALID_CREDENTIAL", "belongs to no caller that is known here"},
		"an expired token": {expired, accountTemplate, codes.Unauthenticated, 401, "INVALID_CREDENTIAL", "the token is expired"},
		"Diga's own token": {[]string{"Authorization", "Bearer " + accountToken("acme")}, accountTemplate, codes.Unauthenticated, 401, "INVALID_CREDENTIAL", "the token is not a signed JWT"},
		"no credential":    {[]string{"Authorization", ""}, accountTemplate, codes.Unauthenticated, 401, "MISSING_CREDENTIAL", "authorization header is missing"},
	} {
		ctx := t.Context()
		for i := 0; i < len(c.header); i += 2 {
			if c.header[i+1] != "" {
				ctx = metadata.AppendToOutgoingContext(ctx, strings.ToLower(c.header[i]), c.header[i+1])
			}
		}
		_, e := w.copyCtx(ctx, &integrationv1.CopyTemplateRequest{TemplateId: c.template})
		if e == nil || e.Code != c.code || e.Reason != c.reason || e.Outcome != exchange.NotSent || !strings.Contains(e.Message, c.says) {
			t.Errorf("%s: gRPC: %v", name, e)
		}
		r := w.copyREST(t, c.template, "{}", c.header...)
		if r.status != c.status || !strings.Contains(r.body, `"error_code":"`+c.reason+`"`) || !strings.Contains(r.body, c.says) || r.header.Get(apierror.OutcomeHeader) != "NOT_SENT" {
			t.Errorf("%s: REST: %d %s", name, r.status, r.body)
		}
	}
	for _, method := range []struct{ verb, path string }{
		{"DELETE", "/v1/integration/" + accountTemplate}, {"GET", "/v1/integration/template/" + accountTemplate}, {"GET", "/v1/integration/template:stream"},
	} {
		if r := w.do(t, method.verb, method.path, "", w.asREST("billing", "")...); r.status != http.StatusForbidden {
			t.Errorf("%s %s: %d %s", method.verb, method.path, r.status, r.body)
		}
	}
	if r := w.do(t, "GET", "/v1/integration/template", "", w.asREST("billing", "")...); r.status != http.StatusOK {
		t.Errorf("a list: %d %s", r.status, r.body)
	}
	records := digatev1.NewLedgerServiceClient(w.conn)
	if _, err := records.GetCopy(w.as(t.Context(), "billing", ""), &digatev1.GetCopyRequest{RequestId: "x"}); status.Code(err) != codes.NotFound {
		t.Errorf("GetCopy: %v", err)
	}
	_, err := records.ResolveCopy(w.as(t.Context(), "billing", ""), &digatev1.ResolveCopyRequest{RequestId: "x"})
	if e := apierror.FromError(err); e.Code != codes.PermissionDenied || e.Outcome != exchange.NotApplicable {
		t.Errorf("ResolveCopy: %v", err)
	}
	if got := w.diga.took(); len(got) != 1 {
		t.Errorf("Diga was called with %q", got)
	}
}

func TestAccounts_CopiesOfABulkStream_AreDecidedAboutOneByOne(t *testing.T) {
	t.Parallel()
	w := startWithAccounts(t)
	stream, err := w.rpc.BulkCopyTemplate(w.as(t.Context(), "billing", ""))
	must(t, err)
	for i, template := range []string{accountTemplate, otherTemplate, accountTemplate} {
		must(t, stream.Send(item(template, fmt.Sprint("bulk-", i))))
	}
	must(t, stream.CloseSend())
	results, summary, err := drain(stream)
	if err != nil || summary.GetDone() != 2 || summary.GetNotSent() != 1 {
		t.Fatalf("got %v, %v", summary, err)
	}
	for _, r := range results {
		if denied := r.GetRequestId() == "bulk-1"; denied != (codes.Code(r.GetError().GetCode()) == codes.PermissionDenied) {
			t.Errorf("got %v", r)
		}
	}
	body := fmt.Sprintf("{\"template_id\":%q,\"request_id\":\"a\"}\n{\"template_id\":%q,\"request_id\":\"b\"}\n", otherTemplate, accountTemplate)
	r := w.do(t, "POST", "/v1/integration/template:bulkCopy", body, append(w.asREST("billing", ""), "Content-Type", "application/x-ndjson")...)
	if r.status != http.StatusOK || strings.Count(r.body, "NOT_ALLOWED") != 1 || !strings.Contains(r.body, `"done":1`) {
		t.Errorf("REST: %d %s", r.status, r.body)
	}
	if got := w.diga.took(); len(got) != 3 {
		t.Errorf("Diga was called %d times", len(got))
	}
}

// Records belong to an account and a caller, whatever their tokens are.
func TestAccounts_TokensAreRotated_RequestIDsAreNotForgotten(t *testing.T) {
	t.Parallel()
	w := startWithAccounts(t)
	if e := w.copyAs(t, "billing", "", accountTemplate, "once"); e != nil {
		t.Fatal(e)
	}
	w.setToken(t, "acme", accountToken("acme-2"))
	w.Reload(t.Context())
	w.diga.took()
	var header metadata.MD
	ctx := withToken(t.Context(), w.issuer.token("billing", time.Now().Add(2*time.Hour)))
	_, err := w.rpc.CopyTemplate(ctx, &integrationv1.CopyTemplateRequest{TemplateId: accountTemplate, RequestId: "once"}, grpc.Header(&header))
	if e := apierror.FromError(err); err != nil && e.Reason != apierror.ReasonAlreadyCreated { // the upstream's list is no integration
		t.Errorf("got %v", err)
	}
	for _, key := range w.diga.took() {
		if key != accountToken("acme-2") {
			t.Errorf("Diga was called with %s", key)
		}
	}
	// Another caller, and another account, have records of their own.
	for _, c := range []struct{ subject, account string }{{"ops", "acme"}, {"ops", "globex"}} {
		if e := w.copyAs(t, c.subject, c.account, accountTemplate, "once"); e != nil {
			t.Errorf("%+v: %v", c, e)
		}
	}
	if got := len(w.diga.took()); got != 2 {
		t.Errorf("Diga was called %d times", got)
	}
}

func TestAccounts_FileChanges_IsInForceAtOnceOrRefused(t *testing.T) {
	t.Parallel()
	w := startWithAccounts(t)
	w.setFile(t, accountsFile+"x: y\n")
	w.Reload(t.Context())
	if e := w.copyAs(t, "billing", "", accountTemplate, ""); e != nil {
		t.Errorf("with a broken file: %v", e)
	}
	metrics := w.scrape(t)
	for _, metric := range []string{"digate_accounts_refused 1", `digate_accounts_reloads_total{result="refused"} 1`, `digate_accounts_reloads_total{result="taken"} 1`, "digate_accounts_file_info{hash="} {
		if !strings.Contains(metrics, metric) {
			t.Errorf("the metrics lack %s", metric)
		}
	}
	if line := `unknown key \"x\"`; !strings.Contains(w.log.String(), line) {
		t.Errorf("no log line has %s", line)
	}
	w.setFile(t, strings.Replace(accountsFile, "sub: billing", "sub: invoices", 1))
	w.Reload(t.Context())
	if e := w.copyAs(t, "billing", "", accountTemplate, ""); e == nil || e.Code != codes.Unauthenticated {
		t.Errorf("a caller that is gone: %v", e)
	}
	if e := w.copyAs(t, "invoices", "", accountTemplate, ""); e != nil {
		t.Errorf("a new identity: %v", e)
	}
	if metrics := w.scrape(t); !strings.Contains(metrics, "digate_accounts_refused 0") {
		t.Error("the file is still refused")
	}
}

func TestAccounts_Quotas_AreToldWithTheTrueDelay(t *testing.T) {
	t.Parallel()
	w := startWithAccounts(t)
	if e := w.copyAs(t, "slow", "", accountTemplate, ""); e != nil {
		t.Fatal(e)
	}
	e := w.copyAs(t, "slow", "", accountTemplate, "")
	if e == nil || e.Code != codes.ResourceExhausted || e.Reason != "QUOTA_EXCEEDED" || e.Outcome != exchange.NotSent || e.RetryAfter == nil || *e.RetryAfter < 5*time.Second || *e.RetryAfter > 10*time.Second {
		t.Errorf("got %v, %v", e, e.RetryAfter)
	}
	r := w.copyREST(t, accountTemplate, "{}", w.asREST("slow", "")...)
	if r.status != http.StatusTooManyRequests || r.header.Get("Retry-After") == "" || !strings.Contains(r.body, "requests_per_second of the caller slow") {
		t.Errorf("REST: %d %v %s", r.status, r.header, r.body)
	}
	// Refused copies, and copies of which nothing was made, do not count for the day.
	if e := w.copyAs(t, "ops", "quota", "no UUID", ""); e == nil || e.Code != codes.InvalidArgument {
		t.Errorf("got %v", e)
	}
	stream, err := w.rpc.BulkCopyTemplate(w.as(t.Context(), "ops", "quota"))
	must(t, err)
	for i := range 4 {
		must(t, stream.Send(item(accountTemplate, fmt.Sprint("quota-", i))))
	}
	must(t, stream.CloseSend())
	results, summary, err := drain(stream)
	if err != nil || summary.GetDone() != 2 || summary.GetNotSent() != 2 {
		t.Errorf("got %v, %v", summary, err)
	}
	for _, r := range results {
		if e := apierror.FromStatus(status.FromProto(r.GetError())); r.GetError() != nil && (e.Reason != "QUOTA_EXCEEDED" || e.RetryAfter == nil || *e.RetryAfter > 24*time.Hour) {
			t.Errorf("got %v", r)
		}
	}
	if e := w.copyAs(t, "ops", "globex", accountTemplate, ""); e != nil {
		t.Errorf("another account: %v", e)
	}
	if r := w.do(t, "GET", "/v1/integration/template", "", w.asREST("ops", "quota")...); r.status != http.StatusOK {
		t.Errorf("a read: %d %s", r.status, r.body)
	}
	for line, want := range map[string]string{
		`used{name="quota",of="account",quota="copies_per_day"}`:             "2",
		`limit{name="quota",of="account",quota="copies_per_day"}`:            "2",
		`refused_total{name="quota",of="account",quota="copies_per_day"}`:    "2",
		`limit{name="slow",of="caller",quota="requests_per_second"}`:         "1",
		`refused_total{name="slow",of="caller",quota="requests_per_second"}`: "2",
	} {
		w.awaitMetric(t, "digate_quota_"+line+" "+want)
	}
	if text := w.scrape(t); !regexp.MustCompile(`(?m)^digate_quota_used\{name="slow",of="caller",quota="requests_per_second"\} 0\.`).MatchString(text) ||
		!regexp.MustCompile(`(?m)^digate_issuer_keys_read_timestamp_seconds\{issuer="corp"\} 1\.[0-9]+e\+09$`).MatchString(text) {
		t.Errorf("%q", regexp.MustCompile("(?m)^digate_(quota|issuer).*").FindAllString(text, -1))
	}
}

// A copy of a bulk stream waits for the quota of a second, and an operator sees that it
// does.
func TestAccounts_BulkCopyThatWaitsForAQuota_IsShown(t *testing.T) {
	t.Parallel()
	w := startWithAccounts(t)
	waiting := func(n int) {
		t.Helper()
		w.awaitMetric(t, fmt.Sprintf(`digate_quota_waiting{name="slow",of="caller",quota="requests_per_second"} %d`, n))
	}
	waiting(0)
	ctx, leave := context.WithCancel(t.Context())
	stream, err := w.rpc.BulkCopyTemplate(w.as(ctx, "slow", ""))
	must(t, err)
	for i := range 2 { // the stream has taken what there was
		must(t, stream.Send(item(accountTemplate, fmt.Sprint("waits-", i))))
	}
	waiting(2)
	leave()
	waiting(0)
}

// Diga limits each account by itself, and so does digate.
func TestAccounts_OneAccountIsLimitedByDiga_AnotherIsNot(t *testing.T) {
	t.Parallel()
	w := startWithAccounts(t)
	for _, account := range []string{"acme", "globex"} { // Diga knows both
		if e := w.copyAs(t, "ops", account, accountTemplate, ""); e != nil {
			t.Fatal(e)
		}
	}
	w.diga.mu.Lock()
	w.diga.limit = accountToken("acme")
	w.diga.mu.Unlock()
	for range 5 {
		ctx, cancel := context.WithTimeout(w.as(t.Context(), "ops", "acme"), time.Second)
		if _, e := w.copyCtx(ctx, &integrationv1.CopyTemplateRequest{TemplateId: accountTemplate}); e == nil {
			t.Error("the limited account is served")
		}
		cancel()
	}
	// A call of the account is not even sent while Diga has asked it to wait, whoever
	// makes it, and whatever the token is by then.
	w.diga.took()
	ctx, cancel := context.WithTimeout(w.as(t.Context(), "billing", ""), time.Second)
	defer cancel()
	if _, e := w.copyCtx(ctx, &integrationv1.CopyTemplateRequest{TemplateId: accountTemplate}); e == nil || e.Outcome != exchange.NotSent {
		t.Errorf("another caller of the account: %v", e)
	}
	began := time.Now()
	for range 20 {
		if e := w.copyAs(t, "ops", "globex", accountTemplate, ""); e != nil {
			t.Fatalf("another account: %v", e)
		}
	}
	if took := time.Since(began); took > await.Patience/2 {
		t.Errorf("twenty copies of another account took %v", took)
	}
}

// The callers of an account take turns, whatever one of them asks for.
func TestAccounts_OneCallerAsksForMuch_AnotherOfTheAccountHasTheNextTurn(t *testing.T) {
	t.Parallel()
	const queue = 20
	came, next := make(chan string, 2*queue), make(chan struct{})
	diga := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var request struct{ Name string }
		_ = json.NewDecoder(r.Body).Decode(&request)
		came <- request.Name
		<-next
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, `{"id":"3c90c3cc-0d44-4b50-8888-8dd257360001"}`)
	}))
	t.Cleanup(diga.Close)
	w := startWithAccounts(t, func(c *config.Config) {
		c.Upstream.URL, c.Upstream.MaxInFlight, c.Upstream.MaxQueue = diga.URL, 1, queue
	})
	call := func(subject string, ended chan<- *apierror.Error) {
		_, e := w.copyCtx(w.as(t.Context(), subject, "acme"), &integrationv1.CopyTemplateRequest{TemplateId: accountTemplate, Name: &subject})
		ended <- e
	}
	refused := func(e *apierror.Error) {
		t.Helper()
		if e == nil || e.Reason != apierror.ReasonOverloaded || e.Outcome != exchange.NotSent {
			t.Errorf("got %v, want OVERLOADED, NOT_SENT", e)
		}
	}
	greedy, modest := make(chan *apierror.Error, queue+3), make(chan *apierror.Error, 1)
	for range queue + 3 { // one is under way, and two find no room
		go call("ops", greedy)
	}
	refused(<-greedy)
	refused(<-greedy)
	go call("billing", modest)
	refused(<-greedy) // for whom it makes room
	if got := <-came; got != "ops" {
		t.Fatalf("%s came first", got)
	}
	for before := 0; ; before++ {
		next <- struct{}{}
		if <-came == "billing" {
			break
		}
		if before == 1 {
			t.Error("the greedy caller had two turns before the other had one")
		}
	}
	close(next)
	if e := <-modest; e != nil {
		t.Errorf("the other caller: %v", e)
	}
	for range queue {
		if e := <-greedy; e != nil {
			t.Errorf("the greedy caller: %v", e)
		}
	}
}

func TestAccounts_TokenOfAStreamEnds_StreamEndsAtItsNextMessage(t *testing.T) {
	t.Parallel()
	w := startWithAccounts(t)
	ends := time.Now().Add(3 * time.Second).Truncate(time.Second)
	stream, err := w.rpc.BulkCopyTemplate(withToken(t.Context(), w.issuer.token("billing", ends)))
	must(t, err)
	must(t, stream.Send(item(accountTemplate, "before")))
	resp, err := stream.Recv()
	if err != nil || resp.GetIntegration() == nil {
		t.Fatalf("before its end: %v, %v", resp, err)
	}
	await.Value(t, time.After(time.Until(ends)+time.Millisecond), "the end of the token")
	must(t, stream.Send(item(accountTemplate, "after")))
	_, err = stream.Recv()
	if e := apierror.FromError(err); e.Code != codes.Unauthenticated || e.Reason != "CREDENTIAL_EXPIRED" || e.Outcome != exchange.NotSent {
		t.Errorf("after its end: %v", err)
	}
	if got := w.diga.took(); len(got) != 1 {
		t.Errorf("Diga was called %d times", len(got))
	}
}

func TestAccounts_CredentialOfAStreamIsNoLongerTheCallers_StreamEndsAtItsNextMessage(t *testing.T) {
	t.Parallel()
	w := startWithAccounts(t)
	streams := make(map[string]grpc.BidiStreamingClient[integrationv1.BulkCopyTemplateRequest, integrationv1.BulkCopyTemplateResponse])
	next := func(caller, id string) error {
		must(t, streams[caller].Send(item(accountTemplate, id)))
		_, err := streams[caller].Recv()
		return err
	}
	for _, caller := range []string{"billing", "ops"} {
		stream, err := w.rpc.BulkCopyTemplate(w.as(t.Context(), caller, "acme"))
		must(t, err)
		streams[caller] = stream
		must(t, next(caller, "before"))
	}
	w.setFile(t, strings.Replace(accountsFile, "sub: billing", "sub: invoices", 1))
	w.Reload(t.Context())
	if e := apierror.FromError(next("billing", "after")); e == nil || e.Code != codes.Unauthenticated || e.Reason != "CREDENTIAL_EXPIRED" || e.Outcome != exchange.NotSent {
		t.Errorf("once its token is another's: %v", e)
	}
	if err := next("ops", "after"); err != nil {
		t.Errorf("a caller whose token is still its own: %v", err)
	}
	if got := w.diga.took(); len(got) != 3 {
		t.Errorf("Diga was called %d times", len(got))
	}
}

func TestAccounts_HealthIsOpen_ReflectionIsNotUnlessTheSettingsSaySo(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*config.Config)
		want   codes.Code
	}{
		"as it is":          {func(*config.Config) {}, codes.Unauthenticated},
		"--open-reflection": {func(c *config.Config) { c.OpenReflection = true }, codes.OK},
	} {
		w := startWithAccounts(t, c.change)
		if _, err := healthv1.NewHealthClient(w.conn).Check(t.Context(), &healthv1.HealthCheckRequest{}); err != nil {
			t.Errorf("%s: health: %v", name, err)
		}
		if got := status.Code(reflectOver(t.Context(), w.conn)); got != c.want {
			t.Errorf("%s: reflection without a credential: %v, want %v", name, got, c.want)
		}
		if err := reflectOver(w.as(t.Context(), "ops", ""), w.conn); err != nil { // which needs no account
			t.Errorf("%s: reflection with a credential: %v", name, err)
		}
	}
	// A token that goes to Diga is not verified here, but there has to be one.
	d := start(t, newKeyedUpstream(t).URL)
	if got := status.Code(reflectOver(t.Context(), d.conn)); got != codes.Unauthenticated {
		t.Errorf("without accounts: %v", got)
	}
	if err := reflectOver(withToken(t.Context(), token), d.conn); err != nil {
		t.Errorf("without accounts, with a token: %v", err)
	}
}

// reflectOver lists the services.
func reflectOver(ctx context.Context, conn *grpc.ClientConn) error {
	stream, err := reflectionv1.NewServerReflectionClient(conn).ServerReflectionInfo(ctx)
	if err != nil {
		return err
	}
	err = stream.Send(&reflectionv1.ServerReflectionRequest{MessageRequest: &reflectionv1.ServerReflectionRequest_ListServices{}})
	if err != nil && !errors.Is(err, io.EOF) { // the stream has ended, and Recv says why
		return err
	}
	if _, err = stream.Recv(); err != nil {
		return err
	}
	return stream.CloseSend()
}

func TestAccounts_FileThatCannotBeUsed_KeepsTheServerFromStarting(t *testing.T) {
	t.Parallel()
	w := &withAccounts{issuer: newIssuer(t), dir: t.TempDir()}
	nobody := strings.Replace(accountsFile, `issuers:
  corp: {issuer: "https://idp.example", audience: digate, keys: "file://%[1]s", algorithms: [EdDSA], leeway: 0s}
`, "", 1)
	nobody = strings.NewReplacer("token: {issuer: corp, sub: billing}", "dns: a", "token: {issuer: corp, sub: ops}", "dns: b", "token: {issuer: corp, sub: slow}", "dns: c").Replace(nobody)
	for name, c := range map[string]struct{ text, want string }{
		"a mistake":   {accountsFile + "x: y\n", "--accounts-file: FILE: line 21: the file: unknown key \"x\""},
		"no tokens":   {accountsFile, "--accounts-file: FILE: line 2: account acme, token: stat "},
		"no way in":   {nobody, "--accounts-file: FILE: nobody could authenticate: the file has no issuers of tokens, and without --tls-client-ca-file no client certificate is verified"},
		"it is empty": {"", "--accounts-file: FILE: is empty"},
	} {
		w.setFile(t, c.text)
		cfg := settings(t, "http://127.0.0.1:1")
		cfg.AccountsFile = w.file()
		s, err := newServer(t.Context(), cfg, new(record))
		if err == nil {
			s.Close()
		}
		if err == nil || !strings.HasPrefix(strings.ReplaceAll(err.Error(), w.file(), "FILE"), c.want) {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
	}
	cfg := settings(t, "http://127.0.0.1:1")
	cfg.AccountsFile = filepath.Join(w.dir, "none")
	if _, err := newServer(t.Context(), cfg, new(record)); err == nil || !strings.HasPrefix(err.Error(), "--accounts-file: ") {
		t.Errorf("no file: %v", err)
	}
}

// The status shows who is in the file of accounts and whether the newest version is in
// force, and no secret.
func TestAccounts_Status_ShowsTheFileInForceAndWhatIsRefused(t *testing.T) {
	t.Parallel()
	w := startWithAccounts(t)
	text := w.admin(t, "/status.json").body
	for _, want := range []string{`"names":["acme","globex","quota"]`, `"names":["billing","ops","slow"]`, `"names":["corp"]`, `"refused_since":null`} {
		if !strings.Contains(strings.NewReplacer(" ", "", "\n", "").Replace(text), want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
	w.setFile(t, accountsFile+"x: y\n")
	must(t, os.Remove(filepath.Join(w.dir, "globex")))
	w.Reload(t.Context())
	page := send(t, w.http, http.MethodGet, w.adminURL, "/", "", "Accept", "text/html").body
	text = w.admin(t, "/status.json").body
	if !strings.Contains(page, "refused since") || !strings.Contains(page, "Token refused</th><td class=\"bad\">globex<") {
		t.Errorf("the page does not say what is refused: %s", page)
	}
	if strings.Contains(text, `"refused_since":null`) || strings.Contains(page+text, marker) {
		t.Errorf("got %s", text)
	}
}
