package bulk

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	"github.com/digate/digate/bench/rig"
	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
)

var items = flag.Int("bulk.items", 500, "items of a bulk run")

var binary string

func TestMain(m *testing.M) {
	flag.Parse()
	dir, err := os.MkdirTemp("", "bulk")
	if err == nil && flag.Lookup("test.bench").Value.String() == "" {
		binary = filepath.Join(dir, "digate")
		err = rig.Build(binary, false) // the race detector has a memory of its own
	}
	if err != nil {
		fmt.Println("FAIL:", err)
		os.Exit(1)
	}
	code := m.Run()
	if err := os.RemoveAll(dir); err != nil {
		fmt.Println("FAIL:", err)
		code = 1
	}
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Println("FAIL:", err)
			code = 1
		}
	}
	os.Exit(code)
}

func newVendor(tb testing.TB) *rig.Vendor {
	tb.Helper()
	v, err := rig.NewVendor(nil)
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

// serve runs a digate process in front of the vendor, and returns a stream of
// copies to it.
func serve(t *testing.T, v *rig.Vendor, args ...string) (*rig.Server, grpc.BidiStreamingClient[integrationv1.BulkCopyTemplateRequest, integrationv1.BulkCopyTemplateResponse]) {
	t.Helper()
	log := filepath.Join(t.TempDir(), "digate.log")
	s, err := rig.Serve(binary, log, append([]string{"--upstream-url", v.URL(), "--bulk-concurrency", "64"}, args...)...)
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

// memory is the most that a process had in memory at once, in MiB.
func memory(t *testing.T, pid int) float64 {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Skipf("what a process needs is read from /proc: %v", err)
	}
	for line := range bytes.Lines(b) {
		if rest, ok := bytes.CutPrefix(line, []byte("VmHWM:")); ok {
			kib, err := strconv.Atoi(string(bytes.TrimSpace(bytes.TrimSuffix(bytes.TrimSpace(rest), []byte("kB")))))
			if err != nil {
				t.Fatal(err)
			}
			return float64(kib) / 1024
		}
	}
	t.Fatal("/proc has no VmHWM")
	return 0
}

// One stream copies a tenth of the items and then all of them, on every kind of
// ledger; each row is a process of its own.
func TestRun_ManyItemsInOneStream_AreAllAnswered(t *testing.T) {
	for _, l := range ledgers {
		t.Run(l.name, func(t *testing.T) {
			for _, n := range []int{*items / 10, *items} {
				v := newVendor(t)
				ledger, keyFile := l.args(t)
				args := []string{"--ledger", ledger}
				if keyFile != "" {
					args = append(args, "--ledger-key-file", keyFile)
				}
				s, stream := serve(t, v, args...)
				atRest := memory(t, s.PID())
				began := time.Now()
				sent := make(chan error, 1)
				go func() {
					for i := range n {
						if err := stream.Send(item(i)); err != nil {
							sent <- err
							return
						}
					}
					sent <- stream.CloseSend()
				}()
				results := 0
				var summary *integrationv1.BulkCopySummary
				for {
					resp, err := stream.Recv()
					if errors.Is(err, io.EOF) {
						break
					}
					if err != nil {
						t.Fatal(err)
					}
					if summary = resp.GetSummary(); summary == nil {
						results++
					}
				}
				took := time.Since(began)
				if err := <-sent; err != nil {
					t.Fatal(err)
				}
				if results != n || summary.GetDone() != int64(n) || v.Asked() != n {
					t.Errorf("%d items: %d results, %v, the vendor was asked %d times", n, results, summary, v.Asked())
				}
				fmt.Printf("| `%s` | %d | %.0f | %.0f MiB | %.0f MiB |\n", l.name, n, float64(n)/took.Seconds(), atRest, memory(t, s.PID()))
			}
		})
	}
}

// A client that asks for everything and reads nothing stops the copying, and
// fills no memory.
func TestRun_ClientThatDoesNotRead_StopsTheCopying(t *testing.T) {
	v := newVendor(t)
	s, stream := serve(t, v)
	atRest := memory(t, s.PID())
	ended := make(chan struct{})
	n := max(*items, 20_000) // what fits into the windows between is far less
	given := make(chan struct{}, n)
	go func() {
		defer close(ended)
		for i := range n {
			if stream.Send(item(i)) != nil {
				return // it was cancelled
			}
			given <- struct{}{}
		}
	}()
	asked := -1
	for asked != v.Asked() || asked == 0 {
		asked = v.Asked()
		time.Sleep(time.Second) // nothing tells that nothing happens
	}
	fmt.Printf("| %d | %d | %d | %.0f MiB | %.0f MiB |\n", n, len(given), asked, atRest, memory(t, s.PID()))
	if asked > n/2 || len(given) > n/2 {
		t.Errorf("%d copies and %d requests taken while nothing was read", asked, len(given))
	}
	t.Cleanup(func() { <-ended }) // after the stream is cancelled
}
