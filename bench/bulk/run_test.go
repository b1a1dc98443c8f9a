//go:build unix

package bulk

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/test/await"
	"github.com/digate/digate/test/rig"
)

var items = flag.Int("bulk.items", 500, "items of a bulk run")

func TestMain(m *testing.M) { rig.Main(m, 0) }

func newUpstream(tb testing.TB) *rig.Upstream {
	tb.Helper()
	v, err := rig.NewUpstream(nil)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := v.Close(); err != nil {
			tb.Error(err)
		}
	})
	return v
}

// serve runs a digate process in front of the upstream, and returns a stream of
// copies to it.
func serve(t *testing.T, v *rig.Upstream, args ...string) (*rig.Server, grpc.BidiStreamingClient[integrationv1.BulkCopyTemplateRequest, integrationv1.BulkCopyTemplateResponse]) {
	t.Helper()
	path, err := rig.Build("cmd/digate", false)
	if err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(t.TempDir(), "digate.log")
	s, err := rig.Serve(path, log, append([]string{"--upstream-url", v.URL(), "--bulk-concurrency", "64"}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := grpc.NewClient(s.GRPC, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+token))
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(conn.Close(), s.Stop()); err != nil {
			t.Error(err)
		}
	})
	stream, err := integrationv1.NewIntegrationServiceClient(conn).BulkCopyTemplate(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return s, stream
}

func item(i int) *integrationv1.BulkCopyTemplateRequest {
	return &integrationv1.BulkCopyTemplateRequest{Copy: &integrationv1.CopyTemplateRequest{
		TemplateId: template, Name: new(fmt.Sprintf("integration %d", i)), RequestId: fmt.Sprintf("item-%d", i),
	}}
}

// receive receives the results of n items, which must all be done.
func receive(t *testing.T, stream grpc.BidiStreamingClient[integrationv1.BulkCopyTemplateRequest, integrationv1.BulkCopyTemplateResponse], n int) {
	t.Helper()
	for i := range n {
		resp, err := stream.Recv()
		if err != nil {
			t.Fatalf("after %d results of %d: %v", i, n, err)
		}
		if resp.GetIntegration().GetId() == "" {
			t.Fatalf("result %d of %d: %v", i+1, n, resp)
		}
	}
}

// finish ends the stream after all n results.
func finish(t *testing.T, v *rig.Upstream, stream grpc.BidiStreamingClient[integrationv1.BulkCopyTemplateRequest, integrationv1.BulkCopyTemplateResponse], n int) {
	t.Helper()
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	resp, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	if done := resp.GetSummary().GetDone(); done != int64(n) || v.Asked() != n {
		t.Errorf("%d items: %v, the upstream was asked %d times", n, resp, v.Asked())
	}
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("behind the summary: %v", err)
	}
}

// held is the size of a server's heap after n items, in bytes.
type held struct {
	n            int
	open, closed float64 // while their stream is open, and afterwards
}

// One stream copies a tenth of the items, another all of them, on every kind of
// ledger. Each row is about a process of its own.
func TestRun_ManyItemsInOneStream_AllHaveResults(t *testing.T) {
	const (
		// perItem is how many bytes a stream may hold of an item with a response: less
		// than an item.
		perItem = 200
		// With enough items, the growth per item is more than chance.
		enough = 10_000
	)
	fmt.Println("| ledger | items | items/s | CPU of an item | RSS at start | most RSS | most heap |\n|---|--:|--:|--:|--:|--:|--:|")
	var growth []string
	for _, l := range ledgers {
		t.Run(l.name, func(t *testing.T) {
			few := run(t, l.name, l.args, *items/10)
			many := run(t, l.name, l.args, *items)
			if *items < enough {
				return
			}
			more := float64(many.n - few.n)
			open := ((many.open - many.closed) - (few.open - few.closed)) / more
			if open > perItem {
				t.Errorf("a stream holds %.0f bytes of an item that has a response, want at most %d", open, perItem)
			}
			growth = append(growth, fmt.Sprintf("| `%s` | %.0f B | %.0f B |", l.name, open, (many.closed-few.closed)/more))
		})
	}
	if len(growth) > 0 {
		fmt.Println("\n| ledger | of an item, while its stream is open | of a record, afterwards |\n|---|--:|--:|")
	}
	for _, row := range growth {
		fmt.Println(row)
	}
}

// run copies n items in one stream through a server of their own, and prints a
// row about it.
func run(t *testing.T, name string, ledgerArgs func(testing.TB) (string, string), n int) held {
	t.Helper()
	v := newUpstream(t)
	ledger, keyFile := ledgerArgs(t)
	args := []string{"--ledger", ledger}
	if keyFile != "" {
		args = append(args, "--ledger-key-file", keyFile)
	}
	s, stream := serve(t, v, args...)
	atRest, used, heap := memory(t, s), processor(t, s), watchHeap(t, s)
	began := time.Now()
	sent := make(chan error, 1)
	go func() {
		for i := range n {
			if err := stream.Send(item(i)); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	receive(t, stream, n)
	took := time.Since(began)
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	mostHeap, mostRSS := heap(), memory(t, s)
	used = processor(t, s) - used
	h := held{n: n, open: live(t, s)}
	finish(t, v, stream, n)
	h.closed = live(t, s)
	fmt.Printf("| `%s` | %d | %.0f | %.0f µs | %.0f MiB | %.0f MiB | %.0f MiB |\n", name, n,
		float64(n)/took.Seconds(), float64(used.Microseconds())/float64(n), atRest, mostRSS, mostHeap)
	return h
}

// A client that asks for everything and reads nothing stops the copying, and fills
// no memory. Once it reads, the rest is copied.
func TestRun_ClientThatDoesNotRead_StopsTheCopying(t *testing.T) {
	v := newUpstream(t)
	s, stream := serve(t, v)
	atRest := memory(t, s)
	n := max(*items, 20_000) // far more than fits into the flow-control windows
	sent := make(chan error, 1)
	given := make(chan struct{}, n)
	go func() {
		for i := range n {
			if err := stream.Send(item(i)); err != nil {
				sent <- err
				return
			}
			given <- struct{}{}
		}
		sent <- nil
	}()
	if !await.Rest(v.Asked) {
		t.Fatalf("the copying goes on: %d", v.Asked())
	}
	asked := v.Asked()
	taken, stopped := len(given), memory(t, s)
	if asked > n/4 || taken > n/2 {
		t.Errorf("%d copies and %d requests taken of %d while nothing was read", asked, taken, n)
	}
	receive(t, stream, n)
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	finish(t, v, stream, n)
	fmt.Println("| items | requests taken | copies made | RSS at start | most RSS |\n|--:|--:|--:|--:|--:|")
	fmt.Printf("| %d | %d | %d | %.0f MiB | %.0f MiB |\n", n, taken, asked, atRest, stopped)
}
