package bulk

import (
	"context"
	"encoding/hex"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

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
func newClient(b *testing.B, url, ledger, keyFile string) integrationv1.IntegrationServiceClient {
	b.Helper()
	cfg := config.Defaults()
	cfg.GRPCAddr, cfg.HTTPAddr, cfg.AdminAddr = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	cfg.Upstream.URL, cfg.Ledger.Spec, cfg.Ledger.KeyFile = url, ledger, keyFile
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
		both(b, newClient(b, newUpstream(b).URL(), "memory", ""), func() string { return "" })
	})
	for _, l := range ledgers {
		b.Run(l.name, func(b *testing.B) {
			v := newUpstream(b)
			ledger, keyFile := l.args(b)
			client := newClient(b, v.URL(), ledger, keyFile)
			both(b, client, numbered("new"))
			b.Run("replayed", func(b *testing.B) {
				// More than are under way at once: calls with the same id at the same time
				// would share one response.
				const used = 1024
				old := numbered("old")
				for range used {
					copyTemplate(b, client, old())
				}
				asked, next := v.Asked(), atomic.Int64{}
				both(b, client, func() string { return fmt.Sprint("old-", next.Add(1)%used+1) })
				if v.Asked() != asked {
					b.Errorf("%d of the replayed were copied again", v.Asked()-asked)
				}
			})
		})
	}
}

// numbered returns a function that returns a new request id at each call.
func numbered(name string) func() string {
	var last atomic.Int64
	return func() string { return fmt.Sprint(name, "-", last.Add(1)) }
}

// both measures copies one after the other, and 64 at a time on two processors.
func both(b *testing.B, client integrationv1.IntegrationServiceClient, id func() string) {
	copyTemplate(b, client, id()) // connects
	b.Run("sequential", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			copyTemplate(b, client, id())
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.SetParallelism(32)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				copyTemplate(b, client, id())
			}
		})
	})
}

func copyTemplate(b *testing.B, client integrationv1.IntegrationServiceClient, id string) {
	ctx := metadata.AppendToOutgoingContext(context.Background(), "authorization", "Bearer "+token)
	if _, err := client.CopyTemplate(ctx, &integrationv1.CopyTemplateRequest{TemplateId: template, RequestId: id}); err != nil {
		b.Error(err)
	}
}
