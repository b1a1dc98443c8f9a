package rolling

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/exchange"
)

const (
	token    = "rolling-token"
	template = "00000000-0000-4000-8000-000000000001"
	copyPath = "/v1/integration/template/" + template + "/copy"
)

// client is a kind of client. Each of its workers calls until the context ends, and ends
// the call that it is at.
type client struct {
	workers int
	run     func(ctx context.Context, worker int)
}

// caller makes the calls of one worker.
type caller struct {
	client string
	worker int
	tally  *tally
	calls  int
}

// next returns a name that no other call has.
func (c *caller) next() string {
	c.calls++
	return fmt.Sprintf("%s-%d-%d", c.client, c.worker, c.calls)
}

// clients returns the clients of both protocols.
func clients(t *testing.T, grpcAddr, restAddr string, tally *tally) []client {
	t.Helper()
	serviceConfig, err := os.ReadFile("../../docs/service-config.json")
	if err != nil {
		t.Fatal(err)
	}
	dial := func(o ...grpc.DialOption) integrationv1.IntegrationServiceClient {
		conn, err := grpc.NewClient(grpcAddr, append(o, grpc.WithTransportCredentials(insecure.NewCredentials()))...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		return integrationv1.NewIntegrationServiceClient(conn)
	}
	made := func(name string, workers int, run func(ctx context.Context, c *caller)) client {
		for worker := range workers {
			tally.requests[worked(name, worker)] = 0
		}
		return client{workers, func(ctx context.Context, worker int) {
			run(ctx, &caller{client: name, worker: worker, tally: tally})
		}}
	}
	published := grpc.WithDefaultServiceConfig(string(serviceConfig))
	plain := grpc.WithDisableServiceConfig()
	restURL := "http://" + restAddr
	return []client{
		made("grpc-read", 4, func(ctx context.Context, c *caller) { c.read(ctx, dial(published)) }),
		made("grpc-keyed", 4, func(ctx context.Context, c *caller) { c.copies(ctx, dial(published), true) }),
		made("grpc-plain", 4, func(ctx context.Context, c *caller) { c.copies(ctx, dial(plain), false) }),
		made("grpc-bulk", 2, func(ctx context.Context, c *caller) { c.bulk(ctx, dial(plain)) }),
		made("rest-odd", 4, func(ctx context.Context, c *caller) { c.odd(ctx, restAddr, 5*time.Millisecond) }),
		made("rest-odd-idle", 4, func(ctx context.Context, c *caller) { c.odd(ctx, restAddr, 600*time.Millisecond) }),
		made("rest-keyed", 4, func(ctx context.Context, c *caller) { c.rest(ctx, restURL, new(http.Protocols)) }),
		made("rest-http2", 4, func(ctx context.Context, c *caller) {
			http2 := new(http.Protocols)
			http2.SetUnencryptedHTTP2(true)
			c.rest(ctx, restURL, http2)
		}),
		made("rest-bulk", 2, func(ctx context.Context, c *caller) { c.restBulk(ctx, restURL) }),
	}
}

// callTime bounds every call.
const callTime = 30 * time.Second

// callContext returns the context of a call, which does not end with the load.
func callContext(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTime)
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token), cancel
}

// describe returns how a call ended.
func describe(err error) string {
	if err == nil {
		return done
	}
	e := apierror.FromError(err)
	how := fmt.Sprintf("%s %s %s: %v", e.Code, e.Reason, e.Outcome, err)
	if e.Code == codes.Unavailable && e.Outcome == exchange.NotSent {
		how = "again: " + how
	}
	return how
}

// pause waits, and reports whether the load goes on.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// read reads a template.
func (c *caller) read(ctx context.Context, rpc integrationv1.IntegrationServiceClient) {
	for pause(ctx, time.Millisecond) {
		call, cancel := callContext(ctx)
		_, err := rpc.GetTemplate(call, &integrationv1.GetTemplateRequest{TemplateId: template})
		cancel()
		c.tally.end(c.client, strings.TrimPrefix(describe(err), "again: "), "", "")
		c.tally.request(c)
	}
}

// copies makes copies. With a request id, it repeats those of which nothing was sent.
func (c *caller) copies(ctx context.Context, rpc integrationv1.IntegrationServiceClient, keyed bool) {
	for pause(ctx, 5*time.Millisecond) {
		name := c.next()
		req := &integrationv1.CopyTemplateRequest{TemplateId: template, Name: &name}
		if keyed {
			req.RequestId = name
		}
		for again := true; again; {
			call, cancel := callContext(ctx)
			resp, err := rpc.CopyTemplate(call, req)
			cancel()
			how := describe(err)
			again = keyed && strings.HasPrefix(how, "again")
			if !keyed {
				how = strings.TrimPrefix(how, "again: ")
			}
			c.tally.end(c.client, how, name, resp.GetIntegration().GetId())
			c.tally.request(c)
		}
	}
}

// bulkItems is how many copies a bulk call has.
const bulkItems = 150

// bulk makes copies in streams. What has no result when a stream ends is sent again with
// the same request ids.
func (c *caller) bulk(ctx context.Context, rpc integrationv1.IntegrationServiceClient) {
	for pause(ctx, 5*time.Millisecond) {
		rest := make(map[string]bool)
		for range bulkItems {
			rest[c.next()] = true
		}
		for len(rest) > 0 {
			err := c.stream(ctx, rpc, rest)
			c.tally.request(c)
			if err == nil && len(rest) > 0 {
				err = fmt.Errorf("the stream ended without a result for %d copies", len(rest))
			}
			if err == nil {
				break
			}
			how := describe(err)
			c.tally.end(c.client, how, "", "")
			if !strings.HasPrefix(how, "again") {
				return
			}
		}
	}
}

// stream makes one stream, and removes the copies that it made from the rest.
func (c *caller) stream(ctx context.Context, rpc integrationv1.IntegrationServiceClient, rest map[string]bool) error {
	call, cancel := callContext(ctx)
	defer cancel()
	stream, err := rpc.BulkCopyTemplate(call)
	if err != nil {
		return err
	}
	names := make([]string, 0, len(rest))
	for name := range rest {
		names = append(names, name)
	}
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for _, name := range names {
			if stream.Send(&integrationv1.BulkCopyTemplateRequest{Copy: &integrationv1.CopyTemplateRequest{TemplateId: template, Name: &name, RequestId: name}}) != nil {
				return // Recv has the reason
			}
		}
		_ = stream.CloseSend()
	}()
	defer func() { cancel(); <-sent }()
	for {
		resp, err := stream.Recv()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case resp.GetIntegration() != nil:
			delete(rest, resp.GetRequestId())
			c.tally.end(c.client, done, resp.GetRequestId(), resp.GetIntegration().GetId())
		case resp.GetError() != nil:
			c.tally.end(c.client, fmt.Sprint("a copy: ", resp.GetError()), "", "")
			delete(rest, resp.GetRequestId())
		}
	}
}

// odd makes copies over HTTP/1.1 as a simple client does: it keeps its connection unless
// a response says that it ends, or it has ended when the next request is to be sent, and
// it never repeats a request. It pauses between requests.
func (c *caller) odd(ctx context.Context, addr string, pauses time.Duration) {
	var k kept
	defer k.drop()
	for pause(ctx, time.Duration(rand.Int64N(int64(pauses)))) {
		name := c.next()
		how, id := k.ask(addr, name)
		c.tally.end(c.client, how, name, id)
		c.tally.request(c)
	}
}

// kept is a connection that is kept from request to request.
type kept struct {
	conn net.Conn // nil for none
	r    *bufio.Reader
}

func (k *kept) drop() {
	if k.conn != nil {
		_ = k.conn.Close()
	}
	k.conn = nil
}

// ask makes a copy. It returns how that ended, and the id.
func (k *kept) ask(addr, name string) (how, id string) {
	if k.conn != nil && ended(k.conn, k.r) {
		k.drop()
	}
	if k.conn == nil {
		var err error
		if k.conn, err = net.Dial("tcp", addr); err != nil {
			return err.Error(), ""
		}
		k.r = bufio.NewReader(k.conn)
	}
	_ = k.conn.SetDeadline(time.Now().Add(callTime))
	body := fmt.Sprintf(`{"name":%q}`, name)
	_, err := fmt.Fprintf(k.conn, "POST %s HTTP/1.1\r\nHost: digate\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", copyPath, token, len(body), body)
	var resp *http.Response
	if err == nil {
		resp, err = http.ReadResponse(k.r, nil)
	}
	if err != nil {
		k.drop()
		return fmt.Sprintf("no response: %v", err), ""
	}
	how, id = readCopy(resp)
	if resp.Close {
		k.drop()
	}
	return how, id
}

// ended reports whether the server has closed a connection on which nothing is under way.
func ended(conn net.Conn, r *bufio.Reader) bool {
	_ = conn.SetReadDeadline(time.Now().Add(time.Millisecond))
	_, err := r.Peek(1)
	return !errors.Is(err, os.ErrDeadlineExceeded)
}

// readCopy returns how a request for a copy ended, and the id of what it made.
func readCopy(resp *http.Response) (how, id string) {
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	var made struct{ ID string }
	if err == nil && resp.StatusCode == http.StatusCreated {
		err = json.Unmarshal(body, &made)
	}
	if err != nil || resp.StatusCode != http.StatusCreated {
		return fmt.Sprintf("%s %s %s %v", resp.Status, resp.Header.Get("Digate-Outcome"), body, err), ""
	}
	return done, made.ID
}

// rest makes copies with a key, by Go's client.
func (c *caller) rest(ctx context.Context, url string, protocols *http.Protocols) {
	transport := &http.Transport{}
	if protocols.UnencryptedHTTP2() {
		transport.Protocols = protocols
	}
	defer transport.CloseIdleConnections()
	for pause(ctx, 5*time.Millisecond) {
		name := c.next()
		call, cancel := callContext(ctx)
		req, _ := http.NewRequestWithContext(call, http.MethodPost, url+copyPath, strings.NewReader(fmt.Sprintf(`{"name":%q}`, name)))
		req.Header.Set("Authorization", "Bearer "+token)
		req.Header.Set("Idempotency-Key", name)
		resp, err := transport.RoundTrip(req)
		if err != nil {
			c.tally.end(c.client, err.Error(), "", "")
		} else {
			how, id := readCopy(resp)
			c.tally.end(c.client, how, name, id)
		}
		cancel()
		c.tally.request(c)
	}
}

// restBulkItems is how many copies a bulk request has.
const restBulkItems = 50

// restBulk makes copies by bulk requests, each of which has a result for each copy. A
// copy of which nothing was sent is asked for again, with its request id.
func (c *caller) restBulk(ctx context.Context, url string) {
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	for pause(ctx, 5*time.Millisecond) {
		rest := make(map[string]bool)
		for range restBulkItems {
			rest[c.next()] = true
		}
		for len(rest) > 0 {
			if !c.restBulkRequest(ctx, transport, url, rest) {
				return
			}
		}
	}
}

// restBulkRequest makes one bulk request, and removes the copies that it made from the
// rest. It reports whether what is left may be asked for again.
func (c *caller) restBulkRequest(ctx context.Context, transport http.RoundTripper, url string, rest map[string]bool) bool {
	defer c.tally.request(c)
	call, cancel := callContext(ctx)
	defer cancel()
	var body bytes.Buffer
	for name := range rest {
		fmt.Fprintf(&body, `{"template_id":%q,"name":%q,"request_id":%[2]q}`+"\n", template, name)
	}
	req, _ := http.NewRequestWithContext(call, http.MethodPost, url+"/v1/integration/template:bulkCopy", &body)
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/x-ndjson")
	resp, err := transport.RoundTrip(req)
	if err != nil {
		c.tally.end(c.client, err.Error(), "", "")
		return false
	}
	defer func() { _ = resp.Body.Close() }()
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		var line struct {
			RequestID   string `json:"request_id"`
			Integration struct{ ID string }
			Error       json.RawMessage
			Summary     json.RawMessage
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			c.tally.end(c.client, fmt.Sprintf("%s: %v", lines.Bytes(), err), "", "")
			return false
		}
		switch {
		case line.Integration.ID != "":
			delete(rest, line.RequestID)
			c.tally.end(c.client, done, line.RequestID, line.Integration.ID)
		case line.Summary == nil:
			how := fmt.Sprintf("%s %s", resp.Status, lines.Bytes())
			if bytes.Contains(lines.Bytes(), []byte("NOT_SENT")) {
				how = "again: NOT_SENT"
			}
			c.tally.end(c.client, how, "", "")
		}
	}
	if err := lines.Err(); err != nil || resp.StatusCode != http.StatusOK {
		c.tally.end(c.client, fmt.Sprint(resp.Status, " ", err), "", "")
		return false
	}
	return true
}
