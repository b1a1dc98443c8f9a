package abuse

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/structpb"

	integrationv1 "github.com/digate/digate/gen/diga/integration/v1"
	"github.com/digate/digate/test/rig"
)

// greedyHead is the head of the table of callers that take all they can.
const greedyHead = "| what one caller takes | done | RSS before | peak | after | p99 alone | p99 attacked | failed | log lines |\n" +
	"|---|--:|--:|--:|--:|--:|--:|--:|--:|\n"

const greedyToken = "Bearer greedy-0123456789"

// greed is an attack by a caller whom Diga knows, on something that it shares with
// others.
type greed struct {
	attack

	settings []string
	// diga is how the upstream handles a request.
	diga func(rig.Request) rig.Behaviour
	// greedy and other return the n-th request of the caller and of another.
	greedy, other func(n int) *integrationv1.CopyTemplateRequest
	// refused is the metric that counts what the caller did not get.
	refused string
	// busy says that the attack takes all of a processor. What others see is then a
	// matter of time, so only make abuse runs it.
	busy bool
}

// greeds is the list of callers that take all they can in docs/abuse.md, in its order.
var greeds = []greed{
	{
		attack:   attack{name: "request ids that a ledger in memory remembers", many: 8, few: 4, streams: 16, fewStreams: 8},
		settings: []string{"--ledger-memory-records=1000"},
		greedy:   func(n int) *integrationv1.CopyTemplateRequest { return withID("greedy", n) },
		other: func(n int) *integrationv1.CopyTemplateRequest {
			if n%5 > 0 { // so that they are far from their own share
				return named(0)(n)
			}
			return withID("other", n)
		},
		refused: "digate_ledger_memory_records_refused_total",
	},
	{
		attack:   attack{name: "places of calls that wait for Diga", many: 8, few: 4, streams: 20, fewStreams: 40},
		settings: []string{"--upstream-max-in-flight=8", "--upstream-max-queue=100"},
		diga:     func(rig.Request) rig.Behaviour { return rig.Behaviour{Before: 20 * time.Millisecond} },
		greedy:   named(0),
		other:    named(0),
		refused:  "digate_upstream_refused_total",
		busy:     true,
	},
	{
		attack:   attack{name: "memory of large requests", many: 8, few: 4, streams: 16, fewStreams: 16},
		settings: []string{"--max-decoded-bytes=33554432"},
		diga: func(r rig.Request) rig.Behaviour {
			if r.Header.Get("Authorization") == greedyToken {
				return rig.Behaviour{Before: 500 * time.Millisecond}
			}
			return rig.Behaviour{}
		},
		greedy:  large,
		other:   named(100 << 10),
		refused: "digate_request_memory_refused_total",
		busy:    true,
	},
}

// withID returns a request with a request id of its own.
func withID(whose string, n int) *integrationv1.CopyTemplateRequest {
	return &integrationv1.CopyTemplateRequest{TemplateId: templateID, RequestId: fmt.Sprintf("%s-%d-%d", whose, n, time.Now().UnixNano())}
}

// named returns what returns requests with a name of so many bytes.
func named(size int) func(int) *integrationv1.CopyTemplateRequest {
	req := &integrationv1.CopyTemplateRequest{TemplateId: templateID}
	if size > 0 {
		req.Name = new(strings.Repeat("a", size))
	}
	return func(int) *integrationv1.CopyTemplateRequest { return req }
}

// large returns a request that takes as much memory as is free, or nearly: 9 MiB, 900
// KiB, 90 KiB or 10 KiB once it is decoded.
func large(n int) *integrationv1.CopyTemplateRequest { return largest()[n%len(largest())] }

var largest = sync.OnceValue(func() (all []*integrationv1.CopyTemplateRequest) {
	for values := 20_000; values > 10; values /= 10 {
		list := make([]any, values)
		for i := range list {
			list[i] = 1.0
		}
		variables, err := structpb.NewStruct(map[string]any{"list": list, "text": strings.Repeat("a", 2<<10)})
		if err != nil {
			panic(err)
		}
		all = append(all, &integrationv1.CopyTemplateRequest{TemplateId: templateID, Variables: variables})
	}
	return all
})

// take makes copies, f.streams at a time, as fast as they are made or refused.
func (g greed) take(f *front, n int) {
	conn, err := dialClient(f.tls, f.from, f.to)
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	var all sync.WaitGroup
	for m := range f.streams {
		all.Go(func() {
			_ = copyAs(f.ctx, conn, greedyToken, named(0)(0)) // so that Diga knows the caller
			for k := m; f.ctx.Err() == nil; k += f.streams {
				if copyAs(f.ctx, conn, greedyToken, g.greedy(k)) == nil {
					f.done.Add(1)
				} else {
					f.pause(20 * time.Millisecond)
				}
			}
		})
	}
	all.Wait()
}

func copyAs(ctx context.Context, conn grpc.ClientConnInterface, authorization string, req *integrationv1.CopyTemplateRequest) error {
	ctx = metadata.AppendToOutgoingContext(ctx, "authorization", authorization)
	_, err := integrationv1.NewIntegrationServiceClient(conn).CopyTemplate(ctx, req)
	return err
}

// TestAbuse_Greedy has one caller whom Diga knows take all it can of what callers share.
// Nothing may be refused to another.
func TestAbuse_Greedy(t *testing.T) {
	begin(t, greedyHead)
	for _, g := range greeds {
		t.Run(g.name, func(t *testing.T) {
			if g.busy && !*whole {
				t.Skip("what others see depends on the machine: make abuse")
			}
			besides(t)
			up, err := rig.NewUpstream(g.diga)
			must(t, err)
			t.Cleanup(func() { _ = up.Close() })
			if !*whole {
				g.lasts = 2 * time.Second
			}
			s := startTarget(t, rig.ServeCommand(build(t, "cmd/digate"), append(g.settings, "--upstream-url", up.URL())...))
			g.run = g.take
			g.judge(t, "", s, s.GRPC, newOthersWith(t, s, knownToken, g.other))
			refused, err := s.Metric(g.refused)
			must(t, err)
			if t.Logf("%.0f calls of the caller were refused", refused); refused == 0 && *whole {
				t.Error("the caller got all that it asked for")
			}
		})
	}
}
