package bulk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/digate/digate/cmd/digate/internal/client"
	"github.com/digate/digate/cmd/digate/internal/clitest"
	"github.com/digate/digate/cmd/digate/internal/term"
	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	digatev1 "github.com/digate/digate/gen/digate/v1"
	"github.com/digate/digate/server/apierror"
	"github.com/digate/digate/server/exchange"
	"github.com/digate/digate/test/await"
)

// fakeServer copies in its own memory, each request id once.
type fakeServer struct {
	integrationv1.UnimplementedIntegrationServiceServer
	digatev1.UnimplementedLedgerServiceServer

	addr string
	// item decides what becomes of the nth item that came in, from 1; nil and
	// carryOut copy it.
	item func(n int, req *integrationv1.CopyTemplateRequest) verdict
	// base is the base URL of every template; empty is one that needs nothing.
	base string
	// template is the name of every template.
	template string

	// unread is why templates cannot be read, if they cannot.
	unread error
	// stuck, if set, is called with the name of each read before it is done.
	stuck func(ctx context.Context, read string)
	// unlisted is why the list of integrations cannot be read, if it cannot.
	unlisted error

	mu        sync.Mutex
	ledger    *digatev1.GetLedgerResponse
	made      map[string]*integrationv1.CopyTemplateRequest
	doubts    map[string]*digatev1.Copy // by request id: what failed, and may be made
	order     []*integrationv1.CopyTemplateRequest
	items     int
	streams   int
	templates int           // reads of templates
	over      int           // streams that ended
	news      chan struct{} // closed when items or over grows
	leave     func()        // ends the newest connection in memory, in good order
	mostOwed  int           // of one stream at once
	stop      func()
}

// verdict is what a server does with an item.
type verdict struct {
	fail  error // respond with it
	cut   error // the stream ends with it
	after bool  // cut, once it was made
	held  bool  // no response, and the stream waits
	mute  bool  // no response, and the stream goes on
	twice bool  // the response comes twice
	late  time.Duration
}

var carryOut verdict

// errCutOff is how a stream ends that a connection took with it.
var errCutOff = status.Error(codes.Unavailable, "the connection is gone")

func serve(t *testing.T) *fakeServer {
	t.Helper()
	t.Setenv("DIGATE_TOKEN", clitest.Token)
	s := newFakeServer()
	s.start(t, "127.0.0.1:0")
	return s
}

func newFakeServer() *fakeServer {
	return &fakeServer{made: make(map[string]*integrationv1.CopyTemplateRequest), doubts: make(map[string]*digatev1.Copy), ledger: ledgerOf("caller-1", "sqlite", 24*time.Hour)}
}

func (s *fakeServer) start(t *testing.T, addr string) {
	t.Helper()
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	s.addr = ln.Addr().String()
	srv := grpc.NewServer()
	integrationv1.RegisterIntegrationServiceServer(srv, s)
	digatev1.RegisterLedgerServiceServer(srv, s)
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(ln) }()
	var once sync.Once
	s.stop = func() {
		once.Do(func() {
			srv.Stop()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(s.stop)
}

func (s *fakeServer) GetLedger(ctx context.Context, _ *digatev1.GetLedgerRequest) (*digatev1.GetLedgerResponse, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	if got := strings.Join(md.Get("authorization"), "|"); got != "Bearer "+clitest.Token {
		return nil, apierror.MissingCredential("the credential is " + strconv.Itoa(len(got)) + " long").GRPCStatus().Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return proto.CloneOf(s.ledger), nil
}

// GetCopy implements [digatev1.LedgerServiceServer].
func (s *fakeServer) GetCopy(_ context.Context, req *digatev1.GetCopyRequest) (*digatev1.GetCopyResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if record := s.doubts[req.GetRequestId()]; record != nil {
		return &digatev1.GetCopyResponse{Copy: proto.CloneOf(record)}, nil
	}
	if _, ok := s.made[req.GetRequestId()]; !ok {
		return nil, status.Error(codes.NotFound, "no record")
	}
	return &digatev1.GetCopyResponse{Copy: &digatev1.Copy{RequestId: req.GetRequestId(), State: digatev1.Copy_STATE_DONE, IntegrationId: "of-" + req.GetRequestId()}}, nil
}

// ResolveCopy implements [digatev1.LedgerServiceServer].
func (s *fakeServer) ResolveCopy(_ context.Context, req *digatev1.ResolveCopyRequest) (*digatev1.ResolveCopyResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.doubts[req.GetRequestId()] == nil {
		return nil, status.Error(codes.NotFound, "no record")
	}
	delete(s.doubts, req.GetRequestId())
	if id := req.GetIntegrationId(); id != "" {
		s.doubts[req.GetRequestId()] = &digatev1.Copy{RequestId: req.GetRequestId(), State: digatev1.Copy_STATE_DONE, IntegrationId: id}
	}
	return new(digatev1.ResolveCopyResponse), nil
}

// GetTemplate returns a template that needs nothing.
func (s *fakeServer) GetTemplate(ctx context.Context, req *integrationv1.GetTemplateRequest) (*integrationv1.GetTemplateResponse, error) {
	if s.stuck != nil {
		s.stuck(ctx, "template")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.templates++
	if s.unread != nil {
		return nil, s.unread
	}
	plan, err := structpb.NewStruct(map[string]any{"base_url": cmp.Or(s.base, "https://x"), "auth_type": "NONE", "integration_type": "HTTP"})
	return &integrationv1.GetTemplateResponse{Template: &integrationv1.IntegrationTemplate{Id: req.GetTemplateId(), Name: s.template, Template: plan}}, err
}

// StreamIntegrations streams what was made, the newest first.
func (s *fakeServer) StreamIntegrations(_ *integrationv1.StreamIntegrationsRequest, stream grpc.ServerStreamingServer[integrationv1.StreamIntegrationsResponse]) error {
	if s.stuck != nil {
		s.stuck(stream.Context(), "list")
	}
	if s.unlisted != nil {
		return s.unlisted
	}
	s.mu.Lock()
	made := slices.Clone(s.order)
	s.mu.Unlock()
	for _, req := range slices.Backward(made) {
		in := &integrationv1.Integration{Id: "of-" + req.GetRequestId(), Name: req.GetName(), SourceIntegrationTemplateId: new(req.GetTemplateId())}
		if err := stream.Send(&integrationv1.StreamIntegrationsResponse{Integration: in}); err != nil {
			return err
		}
	}
	return nil
}

func (s *fakeServer) BulkCopyTemplate(stream grpc.BidiStreamingServer[integrationv1.BulkCopyTemplateRequest, integrationv1.BulkCopyTemplateResponse]) error {
	seen := make(map[string]bool)
	s.mu.Lock()
	s.streams++
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.over++
		s.tell()
	}()
	type received struct {
		req *integrationv1.BulkCopyTemplateRequest
		err error
	}
	owed := 0
	// The server reads ahead, to see how many responses a client lets it owe.
	ahead := make(chan received, maxConcurrency+1)
	go func() {
		for {
			req, err := stream.Recv()
			if err == nil {
				s.owe(&owed, 1)
			}
			ahead <- received{req, err}
			if err != nil {
				return
			}
		}
	}()
	for r := range ahead {
		if errors.Is(r.err, io.EOF) {
			return stream.Send(&integrationv1.BulkCopyTemplateResponse{Outcome: &integrationv1.BulkCopyTemplateResponse_Summary{Summary: new(integrationv1.BulkCopySummary)}})
		}
		if r.err != nil {
			return r.err
		}
		req := r.req.GetCopy()
		if seen[req.GetRequestId()] || req.GetRequestId() == "" {
			return status.Error(codes.InvalidArgument, "a request id is missing or there twice")
		}
		seen[req.GetRequestId()] = true
		resp, v := s.take(req)
		sleep(stream.Context(), v.late)
		switch {
		case v.held:
			<-stream.Context().Done()
			return stream.Context().Err()
		case v.cut != nil:
			return v.cut
		case v.mute:
			continue
		}
		s.owe(&owed, -1)
		if err := stream.Send(resp); err != nil {
			return err
		}
		if v.twice {
			if err := stream.Send(resp); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *fakeServer) owe(owed *int, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*owed += n
	s.mostOwed = max(s.mostOwed, *owed)
}

func (s *fakeServer) take(req *integrationv1.CopyTemplateRequest) (*integrationv1.BulkCopyTemplateResponse, verdict) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.items++
	s.tell()
	var v verdict
	if s.item != nil {
		v = s.item(s.items, req)
	}
	resp := &integrationv1.BulkCopyTemplateResponse{RequestId: req.GetRequestId()}
	if v.fail != nil || v.cut != nil && !v.after || v.held {
		resp.Outcome = &integrationv1.BulkCopyTemplateResponse_Error{Error: status.Convert(v.fail).Proto()}
		if e := apierror.FromError(v.fail); v.fail != nil && e.Outcome == exchange.Unknown {
			s.doubts[req.GetRequestId()] = &digatev1.Copy{RequestId: req.GetRequestId(), State: digatev1.Copy_STATE_UNKNOWN, ClaimTime: timestamppb.Now()}
		}
		return resp, v
	}
	earlier, again := s.made[req.GetRequestId()]
	switch {
	case again && !proto.Equal(earlier, req):
		e := apierror.InvalidRequest(apierror.Violation{Field: "request_id", Description: "was used for another request", Reason: "REQUEST_ID_REUSED"})
		resp.Outcome = &integrationv1.BulkCopyTemplateResponse_Error{Error: e.GRPCStatus().Proto()}
	case !again:
		s.made[req.GetRequestId()] = req
		s.order = append(s.order, req)
		fallthrough
	default:
		resp.Replayed = again
		resp.Outcome = &integrationv1.BulkCopyTemplateResponse_Integration{Integration: &integrationv1.Integration{Id: "of-" + req.GetRequestId(), Name: req.GetName(), AuthKey: req.ApiKey}}
	}
	return resp, v
}

// tell wakes those who await the server. The caller holds mu.
func (s *fakeServer) tell() {
	if s.news != nil {
		close(s.news)
		s.news = nil
	}
}

// await returns when the server is as holds reports, which may read its state.
func (s *fakeServer) await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for {
		s.mu.Lock()
		if holds() {
			s.mu.Unlock()
			return
		}
		if s.news == nil {
			s.news = make(chan struct{})
		}
		news := s.news
		s.mu.Unlock()
		await.Value(t, news, what)
	}
}

// awaitStreamEnd returns when a stream has ended.
func awaitStreamEnd(t *testing.T, s *fakeServer) {
	t.Helper()
	s.await(t, "the end of a stream", func() bool { return s.over > 0 })
}

// awaitItems returns when the server has seen so many.
func awaitItems(t *testing.T, s *fakeServer, n int) {
	t.Helper()
	s.await(t, fmt.Sprint(n, " items"), func() bool { return s.items >= n })
}

// names are of what was copied, sorted.
func (s *fakeServer) names() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for _, req := range s.order {
		names = append(names, req.GetName())
	}
	slices.Sort(names)
	return names
}

func (s *fakeServer) seen() (items, streams int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.items, s.streams
}

// rejected is Diga's no.
func rejected() error {
	return (&apierror.Error{Code: codes.NotFound, Reason: "INTEGRATION_TEMPLATE_NOT_FOUND", Domain: apierror.DomainDiga, Outcome: exchange.Rejected, Message: "no such template", HTTPStatus: 404}).GRPCStatus().Err()
}

// csvOf is an input of so many rows, named n-0, n-1, ….
func csvOf(n int) string {
	var b strings.Builder
	b.WriteString("template_id,name\n")
	for i := range n {
		fmt.Fprintf(&b, "%s,n-%d\n", clitest.TemplateID, i)
	}
	return b.String()
}

// interruptible runs a command line that the test can interrupt.
type interruptible struct {
	out, err  await.Transcript
	interrupt func()
	ctrlC     func() // as a terminal does
	code      chan int
}

func begin(t *testing.T, stdin io.Reader, args ...string) *interruptible {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	i := &interruptible{code: make(chan int, 1)}
	i.interrupt = func() { cancel(nil) }
	i.ctrlC = func() { cancel(client.SignalError{Signal: os.Interrupt}) }
	if !slices.Contains(args, "--results") {
		args = append(args, "--results", "-")
	}
	go func() { i.code <- runCommand(ctx, args, term.IO{In: stdin, Out: &i.out, Err: &i.err}) }()
	t.Cleanup(i.interrupt)
	return i
}

func (i *interruptible) wait(t *testing.T) clitest.Ran {
	t.Helper()
	select {
	case code := <-i.code:
		return clitest.Ran{Code: code, Out: i.out.String(), Err: i.err.String()}
	case <-time.After(await.Patience):
		t.Fatalf("it goes on:\n%s%s", i.out.String(), i.err.String())
		return clitest.Ran{}
	}
}
