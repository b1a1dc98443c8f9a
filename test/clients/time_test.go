package clients

import (
	"net/http"
	"testing"
	"time"

	"github.com/digate/digate/test/await"
)

// Clients round the deadline that they send, and end a call by themselves when it is
// over. The verdict of a Diga that never responds gets there before that: by a fifth of
// a second at 9 s, so that the machine has to have time for the client.
func TestDeadline_SilentDiga_VerdictIsHeard(t *testing.T) {
	eachAlone(t, nil, func(t *testing.T, c client) {
		deadlines := []time.Duration{9 * time.Second, 11 * time.Second}
		if *long {
			deadlines = append(deadlines, 102*time.Second)
		}
		up := newUpstream(t, func(w http.ResponseWriter, r *http.Request, _ int) {
			if r.Method == http.MethodGet {
				template(w)
				return
			}
			<-r.Context().Done()
		})
		d := serve(t, up.URL)
		const each = 20
		warm := newCall(t, "GetTemplate", get()) // a client's deadline counts the time to connect, the server's does not
		p := plan{Address: d.GRPC, Warm: &warm}
		for _, deadline := range deadlines {
			for range each {
				p.Calls = append(p.Calls, newCall(t, "CopyTemplate", copyOf()).within(deadline))
			}
		}
		heard := make([]int, len(deadlines))
		for i, e := range c.calls(t, p) {
			if e.Code == "DEADLINE_EXCEEDED" && e.Reason == "OUTCOME_UNKNOWN" && e.Info["outcome"] == "UNKNOWN" {
				heard[i/each]++
			}
		}
		for i, n := range heard {
			t.Logf("%v: heard %d of %d", deadlines[i], n, each)
			if n != each {
				t.Errorf("%v: heard %d of %d", deadlines[i], n, each)
			}
		}
	})
}

// A client that cancels ends the request to Diga.
func TestCancel_ReachesDiga(t *testing.T) {
	each(t, nil, func(t *testing.T, c client) {
		begun, left := make(chan struct{}), make(chan struct{})
		up := newUpstream(t, func(_ http.ResponseWriter, r *http.Request, _ int) {
			close(begun)
			<-r.Context().Done()
			close(left)
		})
		d := serve(t, up.URL)
		driver := c.drive(t, plan{Address: d.GRPC, Calls: []call{newCall(t, "CopyTemplate", copyOf())}})
		await.Value(t, begun, "the request")
		driver.cancel()
		await.Value(t, left, "the end of the request")
		if e := driver.next(t); e.Code != "CANCELLED" {
			t.Errorf("the call ended with %+v", e)
		}
	})
}

// A client may ping every two seconds.
func TestKeepalive_PingsEveryTwoSeconds_DoNoHarm(t *testing.T) {
	each(t, nil, func(t *testing.T, c client) {
		up := newUpstream(t, func(w http.ResponseWriter, r *http.Request, _ int) {
			select { // long enough for a few pings
			case <-time.After(9 * time.Second):
			case <-r.Context().Done():
			}
			integration(w, "d")
		})
		d := serve(t, up.URL)
		b := newBalancer(t, d.GRPC)
		for _, e := range c.calls(t, plan{Address: b.address(), KeepaliveMS: 2000, Calls: []call{newCall(t, "CopyTemplate", copyOf()).within(20 * time.Second)}}) {
			copied(t, e)
		}
		if n := b.connections.Load(); n != 1 {
			t.Errorf("the call needed %d connections", n)
		}
	})
}
