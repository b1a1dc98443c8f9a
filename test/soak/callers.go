package soak

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/structpb"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
)

const (
	// upstreamTimeout is digate's limit for calls without a deadline.
	upstreamTimeout = 1500 * time.Millisecond
	// patience is how long a caller without a deadline waits. No response may take
	// that long, so a call that does is digate's failure.
	patience = upstreamTimeout + 2*grace
	// grpcConns is how many connections to each digate the callers over gRPC share.
	grpcConns = 4
	// restIdleTimeout is shorter than digate's own: a caller must not write to a
	// connection that the other end may be closing at that moment.
	restIdleTimeout = 2 * time.Second
)

// crowd makes the calls.
type crowd struct {
	script *script
	// servers are the digates that the calls go to, in turns.
	servers []*server
	conns   []*grpc.ClientConn
	rest    *http.Client

	// created is the id of an integration that was created lately.
	created atomic.Pointer[string]
}

func newCrowd(s *script, servers []*server) (*crowd, error) {
	c := &crowd{script: s, servers: servers, rest: &http.Client{Transport: &http.Transport{
		MaxIdleConnsPerHost: 4096, IdleConnTimeout: restIdleTimeout, DisableCompression: true,
	}}}
	for n := range grpcConns * len(servers) {
		conn, err := grpc.NewClient(servers[n%len(servers)].GRPC, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithNoProxy())
		if err != nil {
			c.close()
			return nil, err
		}
		c.conns = append(c.conns, conn)
	}
	return c, nil
}

// server returns the digate that a call goes to. The calls of an errand have the same.
func (c *crowd) server(call int) *server { return c.servers[c.script.key(call)%len(c.servers)] }

func (c *crowd) close() {
	for _, conn := range c.conns {
		_ = conn.Close()
	}
	c.rest.CloseIdleConnections()
}

// errPatience ends a call that had no deadline and no response.
var errPatience = errors.New("the caller's patience is over")

// call makes the call as the script says and returns its end.
func (c *crowd) call(ctx context.Context, call int) told {
	how := c.script.caller(call)
	if c.script.mix.creates {
		how = c.script.errandCaller(call)
	}
	a := told{call: call, limit: upstreamTimeout}
	if how.deadline > 0 {
		a.limit = how.deadline
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, how.deadline)
		defer cancel()
	}
	// Not by a deadline, which digate would see.
	ctx, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	defer time.AfterFunc(patience, func() { giveUp(errPatience) }).Stop()
	if how.cancel > 0 {
		defer time.AfterFunc(how.cancel, func() { giveUp(context.Canceled) }).Stop()
	}
	began := time.Now()
	switch {
	case c.script.mix.creates:
		c.doErrand(ctx, &a, how)
	case how.habit == overGRPC:
		c.overGRPC(ctx, &a, how)
	case how.habit == overREST:
		c.overREST(ctx, &a, how)
	default:
		c.holdUp(ctx, &a, how)
	}
	a.text = fmt.Sprintf("%+v %s", how, a.text)
	a.moment = moment{began, time.Now()}
	a.took = a.ended.Sub(began)
	return a
}

// gaveUp returns the verdict of a call that its caller ended before digate did.
func gaveUp(ctx context.Context) verdict {
	// grpc-go may notice before the context does.
	if d, ok := ctx.Deadline(); ok && !time.Now().Before(d) {
		return ownTimeout
	}
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, context.DeadlineExceeded):
		return ownTimeout
	case errors.Is(cause, context.Canceled):
		return cancelled
	default:
		return silence
	}
}

func (c *crowd) overGRPC(ctx context.Context, a *told, how caller) {
	name := callName(a.call)
	req := &integrationv1.CopyTemplateRequest{TemplateId: templateID(a.call), Name: &name}
	if how.padding > 0 {
		req.Variables = &structpb.Struct{Fields: map[string]*structpb.Value{"padding": structpb.NewStringValue(padding(how))}}
	}
	ctx, rpc := c.rpc(ctx, a.call)
	resp, err := rpc.CopyTemplate(ctx, req)
	if err == nil {
		a.verdict, a.id, a.name = done, resp.GetIntegration().GetId(), resp.GetIntegration().GetName()
		return
	}
	a.failedOverGRPC(ctx, err)
}

// rpc returns the client for a call over gRPC, and the context with its token.
func (c *crowd) rpc(ctx context.Context, call int) (context.Context, integrationv1.IntegrationServiceClient) {
	// The connections go to the digates in turns.
	server, turn := c.script.key(call)%len(c.servers), call/len(c.servers)%grpcConns
	conn := c.conns[turn*len(c.servers)+server]
	return metadata.AppendToOutgoingContext(ctx, "authorization", c.script.bearer(call)), integrationv1.NewIntegrationServiceClient(conn)
}

// failedOverGRPC notes what an error lets its caller conclude.
func (a *told) failedOverGRPC(ctx context.Context, err error) {
	a.text = "gRPC: " + err.Error()
	st := status.Convert(err)
	for _, detail := range st.Details() {
		switch d := detail.(type) {
		case *errdetails.ErrorInfo:
			if d.GetDomain() == "digate" || d.GetDomain() == "diga.io" {
				a.verdict = outcomes[d.GetMetadata()["outcome"]]
			}
		case *errdetails.RetryInfo:
			a.invited = true
		}
	}
	// Meshes and generic clients try this again by themselves.
	a.invited = a.invited || st.Code() == codes.Unavailable
	a.doubt = st.Code() == codes.Aborted
	if a.verdict == silence {
		a.verdict = gaveUp(ctx)
	}
}

func padding(how caller) string { return strings.Repeat("x", how.padding) }

// restBody returns the body of a call over REST.
func restBody(call int, how caller) []byte {
	body := map[string]any{"name": callName(call)}
	if how.padding > 0 {
		body["variables"] = map[string]string{"padding": padding(how)}
	}
	b, _ := json.Marshal(body) // strings
	return b
}

func restPath(call int) string {
	return "/v1/integration/template/" + templateID(call) + "/copy"
}

func (c *crowd) overREST(ctx context.Context, a *told, how caller) {
	response, ok := c.send(ctx, a, http.MethodPost, restPath(a.call), restBody(a.call, how), nil)
	if !ok {
		return
	}
	if response.status/100 == 2 {
		var integration struct{ ID, Name string }
		if err := json.Unmarshal(response.body, &integration); err != nil {
			a.text += ": " + err.Error()
			return
		}
		a.verdict, a.id, a.name = done, integration.ID, integration.Name
		return
	}
	a.failedOverREST(response)
}

// failedOverREST notes what the response of a failure lets its caller conclude.
func (a *told) failedOverREST(response restResponse) {
	a.verdict = outcomes[response.header.Get("Digate-Outcome")]
	a.invited = response.header.Get("Retry-After") != ""
	a.doubt = a.verdict == unknown && response.status == http.StatusConflict
}

type restResponse struct {
	status int
	header http.Header
	body   []byte
}

// send sends a request of a call over REST. If there is no whole response, it notes
// what the caller can conclude of that.
func (c *crowd) send(ctx context.Context, a *told, method, path string, body []byte, header map[string]string) (response restResponse, ok bool) {
	response, err := c.exchange(ctx, a.call, method, path, body, header)
	if err != nil {
		a.verdict, a.text = gaveUp(ctx), "REST: "+err.Error()
	} else {
		a.text = fmt.Sprintf("REST: %d %.200s", response.status, response.body)
	}
	return response, err == nil
}

// exchange returns the response to a request over REST. With an error it has what was
// read of it.
func (c *crowd) exchange(ctx context.Context, call int, method, path string, body []byte, header map[string]string) (restResponse, error) {
	r, err := http.NewRequestWithContext(ctx, method, "http://"+c.server(call).REST+path, bytes.NewReader(body))
	if err != nil {
		return restResponse{}, err
	}
	r.GetBody = nil // or net/http might send it again
	r.Header.Set("Authorization", c.script.bearer(call))
	if len(body) > 0 {
		r.Header.Set("Content-Type", "application/json")
	}
	for name, value := range header {
		r.Header.Set(name, value)
	}
	resp, err := c.rest.Do(r)
	if err != nil {
		return restResponse{}, err
	}
	read, err := io.ReadAll(resp.Body)
	return restResponse{resp.StatusCode, resp.Header, read}, errors.Join(err, resp.Body.Close())
}
