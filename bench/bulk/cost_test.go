//go:build unix

package bulk

import (
	"context"
	"encoding/hex"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/server"
	"github.com/digate/digate/server/config"
	"github.com/digate/digate/server/ledger/postgres/pgtest"
)

const (
	token    = "bench-token"
	template = "3c90c3cc-0d44-4b50-8888-8dd25736052a"
)

// ledgers are the stores by name, each with a function that returns its settings.
var ledgers = []struct {
	name string
	args func(tb testing.TB) (ledger, keyFile string)
}{
	{"memory", func(testing.TB) (string, string) { return "memory", "" }},
	{"sqlite", func(tb testing.TB) (string, string) { return "sqlite:" + filepath.Join(tb.TempDir(), "ledger.db"), "" }},
	{"postgres", func(tb testing.TB) (string, string) {
		// The settings of a database in production.
		database := pgtest.Start(tb, "fsync=on", "full_page_writes=on", "synchronous_commit=on")
		key := filepath.Join(tb.TempDir(), "ledger.key")
		if err := os.WriteFile(key, []byte(hex.EncodeToString(make([]byte, 32))), 0o600); err != nil {
			tb.Fatal(err)
		}
		return database.NewDatabase(), key
	}},
}

// newClient returns a client of a server in this process, with the ledger and in
// front of the upstream at the URL.
func newClient(b *testing.B, url, ledger, keyFile string, change ...func(*config.Config)) integrationv1.IntegrationServiceClient {
	b.Helper()
	cfg := config.Defaults()
	cfg.GRPCAddr, cfg.HTTPAddr, cfg.AdminAddr = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	cfg.Upstream.URL, cfg.Ledger.Spec, cfg.Ledger.KeyFile = url, ledger, keyFile
	for _, f := range change {
		f(&cfg)
	}
	s, err := server.New(context.Background(), cfg, server.Options{Version: "bench", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	conn, err := grpc.NewClient(s.GRPCAddr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := conn.Close(); err != nil {
			b.Error(err)
		}
		stop()
		if err := <-ended; err != nil {
			b.Error(err)
		}
	})
	return integrationv1.NewIntegrationServiceClient(conn)
}

// BenchmarkCopyTemplate measures a copy over gRPC whose upstream responds at once:
// without a request id, with a new one on every kind of ledger, and with a used one,
// whose integration is read from the upstream. Client, digate and upstream share the
// process, so the cost of a ledger is the difference.
func BenchmarkCopyTemplate(b *testing.B) {
	b.Run("none", func(b *testing.B) {
		both(b, newClient(b, newUpstream(b).URL(), "memory", ""), nil, func() string { return "" })
	})
	for _, l := range ledgers {
		b.Run(l.name, func(b *testing.B) {
			v := newUpstream(b)
			ledger, keyFile := l.args(b)
			client := newClient(b, v.URL(), ledger, keyFile)
			both(b, client, nil, numbered("new"))
			b.Run("replayed", func(b *testing.B) {
				// More than are under way at once: calls with the same id at the same time
				// would share one response.
				const used = 1024
				old := numbered("old")
				for range used {
					copyTemplate(b, client, nil, old())
				}
				asked, next := v.Asked(), atomic.Int64{}
				both(b, client, nil, func() string { return fmt.Sprint("old-", next.Add(1)%used+1) })
				if v.Asked() != asked {
					b.Errorf("%d of the replayed were copied again", v.Asked()-asked)
				}
			})
		})
	}
}

// BenchmarkSettleDoubts measures what --settle-doubts=mark adds to a copy: a request
// that renames the integration, and one that reads the template's name for a copy
// without a name.
func BenchmarkSettleDoubts(b *testing.B) {
	for _, l := range ledgers {
		for _, c := range []struct {
			name, settle string
			copyName     *string
		}{{"off", "off", new("name")}, {"mark", "mark", new("name")}, {"mark_without_a_name", "mark", nil}} {
			b.Run(l.name+"/"+c.name, func(b *testing.B) {
				ledger, keyFile := l.args(b)
				client := newClient(b, newUpstream(b).URL(), ledger, keyFile, func(cfg *config.Config) { cfg.Copies.SettleDoubts = c.settle })
				both(b, client, c.copyName, numbered("new"))
			})
		}
	}
}

// numbered returns a function that returns a new request id at each call.
func numbered(name string) func() string {
	var last atomic.Int64
	return func() string { return fmt.Sprint(name, "-", last.Add(1)) }
}

// both measures copies with the name, or without one, one after the other and 64 at a
// time on two processors.
func both(b *testing.B, client integrationv1.IntegrationServiceClient, name *string, id func() string) {
	copyTemplate(b, client, name, id()) // connects
	b.Run("sequential", func(b *testing.B) {
		b.ReportAllocs()
		defer reportCPU(b)()
		for b.Loop() {
			copyTemplate(b, client, name, id())
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.ReportAllocs()
		defer reportCPU(b)()
		b.SetParallelism(32)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				copyTemplate(b, client, name, id())
			}
		})
	})
}

// reportCPU returns a function that reports the CPU time of the process since, for
// each copy. Other processes on the machine disturb it less than they do the time.
func reportCPU(b *testing.B) (report func()) {
	used := func() (d time.Duration) {
		var usage syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
			b.Fatal(err)
		}
		return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	}
	before := used()
	return func() { b.ReportMetric(float64((used()-before).Microseconds())/float64(b.N), "cpu-µs/op") }
}

func copyTemplate(b *testing.B, client integrationv1.IntegrationServiceClient, name *string, id string) {
	ctx := metadata.AppendToOutgoingContext(context.Background(), "authorization", "Bearer "+token)
	if _, err := client.CopyTemplate(ctx, &integrationv1.CopyTemplateRequest{TemplateId: template, Name: name, RequestId: id}); err != nil {
		b.Error(err)
	}
}
