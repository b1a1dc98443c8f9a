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
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/structpb"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/test/rig"
)

const (
	// upstreamTimeout is digate's limit for calls without a deadline.
	upstreamTimeout = 1500 * time.Millisecond
	// patience is how long a caller without a deadline waits. No response may take
	// that long, so a call that does is digate's failure.
	patience = upstreamTimeout + 2*grace
	// grpcConns is how many connections the callers over gRPC share.
	grpcConns = 4
	// restIdleTimeout is shorter than digate's own: a caller must not write to a
	// connection that the other end may be closing at that moment.
	restIdleTimeout = 2 * time.Second
	// tenants is the number of credentials that the callers share.
	tenants = 16
)

func bearer(call int) string { return fmt.Sprintf("Bearer soak-%d", call%tenants) }

// crowd makes the calls.
type crowd struct {
	script *script
	digate *rig.Server
	conns  []*grpc.ClientConn
	rest   *http.Client
}

func newCrowd(s *script, digate *rig.Server) (*crowd, error) {
	c := &crowd{script: s, digate: digate, rest: &http.Client{Transport: &http.Transport{
		MaxIdleConnsPerHost: 4096, IdleConnTimeout: restIdleTimeout, DisableCompression: true,
	}}}
	for range grpcConns {
		conn, err := grpc.NewClient(digate.GRPC, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithNoProxy())
		if err != nil {
			c.close()
			return nil, err
		}
		c.conns = append(c.conns, conn)
	}
	return c, nil
}

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
	switch how.habit {
	case overGRPC:
		c.overGRPC(ctx, &a, how)
	case overREST:
		c.overREST(ctx, &a, how)
	default:
		c.holdUp(ctx, &a, how)
	}
	a.text = fmt.Sprintf("%+v %s", how, a.text)
	a.took = time.Since(began)
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
	rpc := integrationv1.NewIntegrationServiceClient(c.conns[a.call%len(c.conns)])
	resp, err := rpc.CopyTemplate(metadata.AppendToOutgoingContext(ctx, "authorization", bearer(a.call)), req)
	if err == nil {
		a.verdict, a.id, a.name = done, resp.GetIntegration().GetId(), resp.GetIntegration().GetName()
		return
	}
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
	response, err := c.post(ctx, a.call, how)
	if err != nil {
		a.verdict, a.text = gaveUp(ctx), "REST: "+err.Error()
		return
	}
	a.text = fmt.Sprintf("REST: %d %.200s", response.status, response.body)
	if response.status/100 == 2 {
		var integration struct{ ID, Name string }
		if err := json.Unmarshal(response.body, &integration); err != nil {
			a.text += ": " + err.Error()
			return
		}
		a.verdict, a.id, a.name = done, integration.ID, integration.Name
		return
	}
	a.verdict = outcomes[response.header.Get("Digate-Outcome")]
	a.invited = response.header.Get("Retry-After") != ""
}

type restResponse struct {
	status int
	header http.Header
	body   []byte
}

func (c *crowd) post(ctx context.Context, call int, how caller) (restResponse, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+c.digate.REST+restPath(call), bytes.NewReader(restBody(call, how)))
	if err != nil {
		return restResponse{}, err
	}
	r.GetBody = nil // or net/http might send it again
	r.Header.Set("Authorization", bearer(call))
	r.Header.Set("Content-Type", "application/json")
	resp, err := c.rest.Do(r)
	if err != nil {
		return restResponse{}, err
	}
	body, err := io.ReadAll(resp.Body)
	return restResponse{resp.StatusCode, resp.Header, body}, errors.Join(err, resp.Body.Close())
}
