package server_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server/config"
	"github.com/digate/digate/test/await"
)

func TestBounds_MetadataAndHeaderBeyondTheFlag_AreRefused(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	up.will(respond(201, nil, full))
	d := start(t, up.url(), func(c *config.Config) { c.MaxHeaderBytes = 8 << 10 })
	copyWith := func(n int) error {
		ctx := metadata.AppendToOutgoingContext(withToken(t.Context(), token), "x-filler", strings.Repeat("x", n))
		_, err := d.rpc.CopyTemplate(ctx, &integrationv1.CopyTemplateRequest{TemplateId: templateID})
		return err
	}
	if err := copyWith(6 << 10); err != nil {
		t.Error(err)
	}
	if err := copyWith(9 << 10); err == nil {
		t.Error("gRPC: metadata beyond the bound was accepted")
	}
	if rest := d.copyREST(t, templateID, `{}`, "X-Filler", strings.Repeat("x", 6<<10)); rest.status != 201 {
		t.Errorf("REST: %d", rest.status)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, d.rest+"/v1/integration", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Filler", strings.Repeat("x", 16<<10))
	if resp, err := d.http.Do(r); err == nil { // the connection may also be closed before the response
		if _ = resp.Body.Close(); resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("REST: %d, want 431", resp.StatusCode)
		}
	}
	if got := len(up.received()); got != 2 {
		t.Errorf("Diga received %d requests", got)
	}
}

func TestBounds_ErrorDetails_FitTheFlag(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	var b strings.Builder
	b.WriteString(`{"detail":[`)
	for i := range 100 {
		fmt.Fprintf(&b, `{"loc":["body","variables","field-%d"],"msg":"%s","type":"value_error"},`, i, strings.Repeat("m", 100))
	}
	up.will(respond(422, nil, strings.TrimSuffix(b.String(), ",")+"]}"))
	for _, limit := range []int{1536, 3000, 6144} {
		d := start(t, up.url(), func(c *config.Config) { c.MaxErrorBytes = limit })
		_, err := d.rpc.CopyTemplate(withToken(t.Context(), token), &integrationv1.CopyTemplateRequest{TemplateId: templateID})
		wire, marshalErr := proto.Marshal(status.Convert(err).Proto())
		if marshalErr != nil {
			t.Fatal(marshalErr)
		}
		if got := (len(wire)*4+2)/3 + len(status.Convert(err).Message()); got > limit || got < limit/3 {
			t.Errorf("the error has %d bytes, the bound is %d", got, limit)
		}
		if text := fmt.Sprint(status.Convert(err).Details()...); !strings.Contains(text, "[cut]") || !strings.Contains(text, "REJECTED") {
			t.Errorf("at %d bytes: %.200s", limit, text)
		}
	}
}

func TestBounds_ResponseHeaderBeyondTheFlag_IsNotAccepted(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	up.will(respond(201, map[string]string{"X-Filler": strings.Repeat("x", 8<<10)}, full))
	d := start(t, up.url(), func(c *config.Config) { c.Responses.MaxResponseHeader = 4 << 10 })
	wantREST(t, d.copyREST(t, templateID, `{}`), 502, "UNKNOWN", "OUTCOME_UNKNOWN")
	wide := start(t, up.url())
	wantREST(t, wide.copyREST(t, templateID, `{}`), 201, "", "")
}

func TestBounds_CallsOnOneConnectionBeyondTheFlag_AreRefused(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	d := start(t, up.url(), func(c *config.Config) { c.MaxStreams = 2 })
	f := dialRaw(t, d.GRPCAddr())
	for i := range uint32(3) {
		f.open(2*i+1, copyTemplate, false)
	}
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		if rst, ok := frame.(*http2.RSTStreamFrame); ok {
			if rst.StreamID != 5 || rst.ErrCode != http2.ErrCodeRefusedStream {
				t.Errorf("stream %d: %v", rst.StreamID, rst.ErrCode)
			}
			return
		}
	}
}

func TestBounds_GRPCCallerThatNeverSendsItsMessage_IsCutOff(t *testing.T) {
	up := newScripted(t)
	d := start(t, up.url(), func(c *config.Config) {
		c.ReadTimeout, c.WriteTimeout, c.Upstream.Timeout = 50*time.Millisecond, 50*time.Millisecond, 50*time.Millisecond
	})
	f := dialRaw(t, d.GRPCAddr())
	f.open(1, copyTemplate, false)
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		if h := frame.Header(); h.StreamID == 1 && (h.Type == http2.FrameHeaders || h.Type == http2.FrameRSTStream) {
			return // the server ended the call
		}
	}
}

// The server bounds a call whose caller set no deadline.
func TestBounds_GRPCCallerWithoutADeadline_FailsAtTheUpstreamTimeout(t *testing.T) {
	up := newScripted(t)
	stop := make(chan struct{})
	defer close(stop)
	up.will(func(net.Conn, sent) bool { <-stop; return false })
	d := start(t, up.url(), func(c *config.Config) { c.Upstream.Timeout = 200 * time.Millisecond })
	began := time.Now()
	_, err := d.copyCtx(withToken(t.Context(), token), &integrationv1.CopyTemplateRequest{TemplateId: templateID})
	if took := time.Since(began); err == nil || err.Code != codes.DeadlineExceeded || took > 10*time.Second {
		t.Errorf("%v after %v", err, took)
	}
}

// A caller cannot lift the bounds with a deadline far away: a call that Diga never
// responds to ends at --max-deadline, and so does a call whose message never comes.
func TestBounds_GRPCDeadlineFarAway_IsCappedByTheFlag(t *testing.T) {
	up := newScripted(t)
	stop := make(chan struct{})
	defer close(stop)
	up.will(func(net.Conn, sent) bool { <-stop; return false })
	d := start(t, up.url(), func(c *config.Config) {
		c.Upstream.Timeout, c.MaxDeadline = 200*time.Millisecond, 400*time.Millisecond
	})
	far, cancel := context.WithTimeout(withToken(t.Context(), token), 10*time.Hour)
	defer cancel()
	began := time.Now()
	_, err := d.copyCtx(far, &integrationv1.CopyTemplateRequest{TemplateId: templateID})
	if took := time.Since(began); err == nil || err.Code != codes.DeadlineExceeded || err.Outcome.String() != "UNKNOWN" || took < 300*time.Millisecond || took > 10*time.Second {
		t.Errorf("no response from Diga: %v after %v", err, took)
	}
	stream, openErr := d.conn.NewStream(far, &grpc.StreamDesc{ClientStreams: true}, integrationv1.IntegrationService_CopyTemplate_FullMethodName)
	if openErr != nil {
		t.Fatal(openErr)
	}
	began = time.Now()
	recvErr := stream.RecvMsg(new(integrationv1.CopyTemplateResponse))
	if took := time.Since(began); recvErr == nil || took > 10*time.Second {
		t.Errorf("no message from the caller: %v after %v", recvErr, took)
	}
}

func TestBounds_ConnectionsBeyondTheFlag_WaitUntilAnotherCloses(t *testing.T) {
	up := newScripted(t)
	up.will(respond(201, nil, full))
	d := start(t, up.url(), func(c *config.Config) { c.MaxConnections = 1 })
	first := connect(t, d.HTTPAddr())
	exchange := func(c net.Conn) error {
		_, err := io.WriteString(c, "GET /v1/integration/"+id+" HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+token+"\r\n\r\n")
		if err != nil {
			return err
		}
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			return err
		}
		defer func() { _ = resp.Body.Close() }()
		_, err = io.Copy(io.Discard, resp.Body)
		return err
	}
	if err := exchange(first); err != nil {
		t.Fatal(err)
	}
	second := connect(t, d.HTTPAddr())
	_ = second.SetDeadline(time.Now().Add(200 * time.Millisecond))
	if err := exchange(second); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("a second connection beside the first: got %v, want no response", err)
	}
	_ = first.Close()
	_ = second.SetDeadline(time.Now().Add(await.Patience))
	resp, err := http.ReadResponse(bufio.NewReader(second), nil)
	if err != nil {
		t.Fatalf("the second connection, after the first was closed: %v", err)
	}
	_ = resp.Body.Close()
}

func TestBounds_RESTCallerThatNeverEndsItsRequest_IsCutOff(t *testing.T) {
	up := newScripted(t)
	up.will(respond(201, nil, full))
	d := start(t, up.url(), func(c *config.Config) { c.ReadTimeout = 200 * time.Millisecond })
	for name, text := range map[string]string{
		"header": "POST /v1/integration/template/" + templateID + "/copy HTTP/1.1\r\nHost: x\r\nAuthoriz",
		"body":   "POST /v1/integration/template/" + templateID + "/copy HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + token + "\r\nContent-Length: 100\r\n\r\n{",
	} {
		c := connect(t, d.HTTPAddr())
		_ = c.SetDeadline(time.Now().Add(await.Patience))
		if _, err := io.WriteString(c, text); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: the connection is still open", name)
		}
		_ = c.Close()
	}
	if got := len(up.received()); got != 0 {
		t.Errorf("Diga received %d requests", got)
	}
}

// A client that opens connections in advance has 5 s to use one.
func TestBounds_RESTConnectionWithoutARequest_IsClosedAfter5s(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	d := start(t, up.url())
	began := time.Now()
	c := connect(t, d.HTTPAddr())
	_ = c.SetDeadline(time.Now().Add(await.Patience))
	n, err := io.Copy(io.Discard, c)
	if took := time.Since(began); n != 0 || err != nil || took < 4*time.Second || took > 20*time.Second {
		t.Errorf("%d bytes and %v after %v", n, err, took)
	}
}

// A caller that reads nothing of a large response must not hold its memory for
// ever.
func TestBounds_CallerThatDoesNotRead_IsCutOff(t *testing.T) {
	up := newScripted(t)
	big := strings.Replace(full, `"name":"`, `"name":"`+strings.Repeat("n", 6<<20), 1)
	up.will(respond(200, nil, big))
	d := start(t, up.url(), func(c *config.Config) { c.WriteTimeout = 200 * time.Millisecond })
	c := connect(t, d.HTTPAddr())
	_ = tcpOf(c).SetReadBuffer(4 << 10)
	began := time.Now()
	if _, err := io.WriteString(c, "GET /v1/integration/"+id+" HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+token+"\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	d.log.await(t, 1, `"msg":"call"`)
	if took := time.Since(began); took < 200*time.Millisecond {
		t.Errorf("the call ended after %v: the whole response fitted into buffers, so the write timeout was not tested", took)
	}
}

func TestBounds_MessageTooLarge_IsResourceExhausted(t *testing.T) {
	t.Parallel()
	up := newScripted(t)
	d := start(t, up.url(), func(c *config.Config) { c.MaxRequestBytes = 2 << 10 })
	name := strings.Repeat("n", 3<<10)
	_, err := d.rpc.CopyTemplate(withToken(t.Context(), token), &integrationv1.CopyTemplateRequest{TemplateId: templateID, Name: &name})
	if status.Code(err) != codes.ResourceExhausted || len(up.received()) != 0 {
		t.Errorf("got %v, and Diga received %d requests", err, len(up.received()))
	}
}
