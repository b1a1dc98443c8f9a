package server_test

import (
	"context"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc/codes"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/config"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/test/await"
)

// hold makes the upstream hold its requests until release is called, or the test ends.
// It responds with that script then. Began has a value for each request.
func (up *scripted) hold(t *testing.T, then script) (began chan struct{}, release func()) {
	began, free := make(chan struct{}), make(chan struct{})
	release = sync.OnceFunc(func() { close(free) })
	t.Cleanup(release)
	up.will(func(c net.Conn, s sent) bool {
		select {
		case began <- struct{}{}:
		case <-free:
		}
		<-free
		return then(c, s)
	})
	return began, release
}

// A caller has one share of the memory on both protocols, and another caller has room.
func TestShares_CallerWithManyLargeRequests_IsRefusedAndAnotherIsNot(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	d := start(t, up.url(), func(c *config.Config) { c.MaxDecodedBytes = 1 << 20 })
	const other = token + "-other"
	call := func(as, name string) *apierror.Error {
		ctx, cancel := context.WithTimeout(withToken(t.Context(), as), await.Patience)
		defer cancel()
		_, e := d.copyCtx(ctx, &integrationv1.CopyTemplateRequest{TemplateId: templateID, Name: &name})
		return e
	}
	up.will(respond(201, nil, full))
	for _, as := range []string{token, other} { // Diga knows both
		if e := call(as, "small"); e != nil {
			t.Fatal(e)
		}
	}
	large := strings.Repeat("a", 100<<10) // of which three take 600 KiB, and four would leave too little
	const held = 3
	began, release := up.hold(t, respond(201, nil, full))
	ended := make(chan *apierror.Error, held)
	for range held {
		go func() { ended <- call(token, large) }()
		await.Value(t, began, "a request at Diga")
	}
	up.will(respond(201, nil, full))
	rest := func(as string) response {
		return d.copyREST(t, templateID, `{"name":"`+large+`"}`, "Authorization", "Bearer "+as)
	}
	if e := call(token, large); e == nil || e.Reason != apierror.ReasonOverloaded {
		t.Errorf("one more over gRPC: %v", e)
	}
	wantREST(t, rest(token), 503, "NOT_SENT", "OVERLOADED")
	d.awaitMetric(t, `digate_request_memory_refused_total{bound="caller"} 2`)
	d.awaitMetric(t, `digate_request_memory_refused_total{bound="all"} 0`)
	if e := call(other, large); e != nil {
		t.Errorf("another caller over gRPC: %v", e)
	}
	wantREST(t, rest(other), 201, "", "")
	release()
	for range held {
		if e := await.Value(t, ended, "the end of a large request"); e != nil {
			t.Error(e)
		}
	}
	wantREST(t, rest(token), 201, "", "")
}

// Made-up tokens make no further shares: strangers are told apart by their addresses.
func TestShares_StrangerWithManyTokens_LeavesRoomForAnotherAddress(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	d := start(t, up.url(), func(c *config.Config) { c.MaxDecodedBytes = 1 << 20 }) // of which strangers have 512 KiB
	body := `{"name":"` + strings.Repeat("a", 20<<10) + `"}`                        // of which nine take 360 KiB
	const held = 9
	began, release := up.hold(t, respond(401, nil, envelope))
	ended := make(chan response, held)
	from := func(ip, as string) response {
		return send(t, clientFrom(t, ip), "POST", d.rest, copyPath, body, "Authorization", "Bearer "+token+as)
	}
	for n := range held {
		go func() { ended <- from("127.0.0.2", strconv.Itoa(n)) }()
		await.Value(t, began, "a request at Diga")
	}
	wantREST(t, from("127.0.0.2", "more"), 503, "NOT_SENT", "OVERLOADED")
	go func() { ended <- from("127.0.0.3", "another") }()
	await.Value(t, began, "the request of another address at Diga")
	release()
	for range held + 1 {
		if got := await.Value(t, ended, "the end of a request"); got.status != 401 {
			t.Errorf("%d %s", got.status, got.body)
		}
	}
}

// clientFrom returns an HTTP client that calls from an address of loopback.
func clientFrom(t *testing.T, ip string) *http.Client {
	t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}}
	client := &http.Client{Transport: &http.Transport{DialContext: dialer.DialContext, TLSClientConfig: suiteTLS.client()}}
	t.Cleanup(client.CloseIdleConnections)
	return client
}

// A caller has one share of the request ids that a ledger in memory remembers, on both
// protocols. What it made it can ask for, and another caller has room.
func TestShares_CallerThatFillsTheLedger_IsRefusedAndAnotherIsNot(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	d := start(t, up.url(), func(c *config.Config) { c.Ledger.MemoryRecords = 8 })
	call := func(as, id string) *apierror.Error {
		ctx, cancel := context.WithTimeout(withToken(t.Context(), as), await.Patience)
		defer cancel()
		_, e := d.copyCtx(ctx, withID(id))
		return e
	}
	rest := func(as, id string) response {
		return d.copyREST(t, templateID, `{}`, "Authorization", "Bearer "+as, "Idempotency-Key", id)
	}
	up.will(respond(201, nil, full))
	for n := range 3 {
		if e := call(token, "grpc-"+strconv.Itoa(n)); e != nil {
			t.Fatal(e)
		}
		wantREST(t, rest(token, "rest-"+strconv.Itoa(n)), 201, "", "")
	}
	if e := call(token, "more"); e == nil || e.Code != codes.ResourceExhausted || e.Reason != apierror.ReasonLedgerShareExceeded || e.Outcome != exchange.NotSent {
		t.Errorf("one more over gRPC: %v", e)
	}
	got := rest(token, "more")
	if wantREST(t, got, 429, "NOT_SENT", "LEDGER_SHARE_EXCEEDED"); got.header.Get("Retry-After") != "60" {
		t.Errorf("%v", got.header)
	}
	wantREST(t, d.copyREST(t, templateID, `{}`), 201, "", "") // without a request id
	for line, want := range map[string]string{"memory_records": "6", "memory_records_limit": "8", `memory_records_refused_total{bound="caller"}`: "2", `memory_records_refused_total{bound="all"}`: "0", "up": "1"} {
		d.awaitMetric(t, "digate_ledger_"+line+" "+want)
	}
	const other = token + "-other"
	if e := call(other, "more"); e != nil {
		t.Errorf("another caller over gRPC: %v", e)
	}
	up.will(respond(200, nil, full))
	wantREST(t, rest(token, "rest-0"), 201, "", "")
}
